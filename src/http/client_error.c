/* SPDX-License-Identifier: MIT
 *
 * client_error.c - what curl says, as an errno.
 *
 * -ECANCELED and -ETIME belong to contexts: nothing that comes from curl or from the kernel is
 * turned into them.
 */
#include "client.h"

#include <errno.h>

/* The errno of the system call that failed, where curl kept one. */
static int system_errno(CURL *easy, int otherwise)
{
	long saved = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &saved);
	if (saved <= 0 || saved == ECANCELED || saved == ETIME || saved == EAGAIN ||
	    saved == EINPROGRESS)
		return otherwise;
	return -(int)saved;
}

/* Of a connection that stood. What curl kept may be what the connect to another address said before
 * that: refused, unreachable. */
static int stream_errno(CURL *easy)
{
	int err = system_errno(easy, -ECONNRESET);

	switch (err) {
	case -ECONNREFUSED:
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EADDRNOTAVAIL:
	case -EACCES:
	case -EPERM:
		return -ECONNRESET;
	default:
		return err;
	}
}

int belay__curl_errno(CURL *easy, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -ENOENT;
	case CURLE_COULDNT_CONNECT:
		return system_errno(easy, -ECONNREFUSED);
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return stream_errno(easy);
	case CURLE_PARTIAL_FILE:
		return -ECONNRESET;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return -EKEYREJECTED;
	case CURLE_SSL_CACERT_BADFILE:
		return -ENOKEY;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9; the URL's scheme has been checked */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_PROXY:
		return -EPROTO;
	default:
		return -EIO;
	}
}
