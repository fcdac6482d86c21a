/* SPDX-License-Identifier: MIT
 *
 * macros.h - what every public header needs: linkage, attributes, the caller's place in its source.
 */
#ifndef BELAY_MACROS_H
#define BELAY_MACROS_H

#ifdef __cplusplus
#define BELAY_BEGIN_DECLS extern "C" {
#define BELAY_END_DECLS   }
#else
#define BELAY_BEGIN_DECLS
#define BELAY_END_DECLS
#endif

#define BELAY_EXPORT            __attribute__((visibility("default")))
#define BELAY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BELAY_MUST_CHECK        __attribute__((warn_unused_result))

/* A place in a source file. Must live as long as the process: BELAY_HERE makes a static one. */
struct belay_site {
	const char *file;
	const char *func;
	int line;
};

/* The address of a static struct belay_site for the line it stands on. Inside functions only. */
#define BELAY_HERE                                                                                 \
	(__extension__({                                                                           \
		static const struct belay_site belay__here = {__FILE__, __func__, __LINE__};       \
		&belay__here;                                                                      \
	}))

#endif
