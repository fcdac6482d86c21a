/* SPDX-License-Identifier: MIT
 *
 * client_share.c - what the connections of a client share beside the pool: TLS sessions, so that a
 * second connection to the same host needs no second full handshake (RFC 8446, section 2.2).
 *
 * curl keeps sessions in each handle, of which every exchange has one of its own; the share keeps
 * them for all. Handles are made and freed on the callers' threads and used on the driver's, so
 * curl is given locks.
 */
#include "client.h"

#include <errno.h>

static void take(CURL *easy, curl_lock_data what, curl_lock_access access, void *arg)
{
	struct belay__share *share = arg;

	(void)easy, (void)access;
	pthread_mutex_lock(&share->locks[what]);
}

static void give(CURL *easy, curl_lock_data what, void *arg)
{
	struct belay__share *share = arg;

	(void)easy;
	pthread_mutex_unlock(&share->locks[what]);
}

int belay__share_init(struct belay__share *share)
{
	for (int i = 0; i < CURL_LOCK_DATA_LAST; i++)
		pthread_mutex_init(&share->locks[i], NULL);
	share->curl = curl_share_init();
	if (!share->curl || curl_share_setopt(share->curl, CURLSHOPT_LOCKFUNC, take) ||
	    curl_share_setopt(share->curl, CURLSHOPT_UNLOCKFUNC, give) ||
	    curl_share_setopt(share->curl, CURLSHOPT_USERDATA, share) ||
	    curl_share_setopt(share->curl, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION))
		return -ENOMEM;
	return 0;
}

/* NULL: it was not made, and so were the locks not. */
void belay__share_fini(struct belay__share *share)
{
	if (share->curl)
		curl_share_cleanup(share->curl);
	share->curl = NULL;
}
