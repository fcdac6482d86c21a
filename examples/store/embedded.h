/* SPDX-License-Identifier: MIT
 *
 * embedded.h - files that the build puts into the program, each with a NUL behind its bytes.
 */
#ifndef STORE_EMBEDDED_H
#define STORE_EMBEDDED_H

extern const char schema_sql[], finish_sql[], page_html[];
extern const unsigned long page_html_size; /* without the NUL */

#endif
