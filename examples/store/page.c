/* SPDX-License-Identifier: MIT
 *
 * page.c - the one page for people. Its text is page.html, which the build puts into the program.
 */
#include "page.h"

#include "embedded.h"

/* Everything is in the page itself, and it talks to this server alone. */
static const char policy[] =
	"default-src 'none'; connect-src 'self'; img-src data:; "
	"script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

int handle_page(belay_ctx *ctx, belay_request *req, belay_response *res)
{
	int r = belay_response_header(res, "Content-Type", "text/html; charset=utf-8");

	if (!r)
		r = belay_response_header(res, "Content-Security-Policy", policy);
	if (!r)
		r = belay_response_header(res, "X-Content-Type-Options", "nosniff");
	if (!r)
		r = belay_response_write(ctx, res, page_html, page_html_size);
	return r;
}
