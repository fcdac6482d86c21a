/* SPDX-License-Identifier: MIT
 *
 * client.c - clients: how one is made, and closed.
 */
#include "client.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

/* Never cleaned up: others in the process may use curl too. */
static void init_curl(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool copy_string(const char *from, const char **to)
{
	*to = from ? belay__strdup(from) : NULL;
	return !from || *to;
}

static void options_fini(struct belay_http_client_options *options)
{
	belay__free((char *)options->ca_file);
	belay__free((char *)options->user_agent);
}

static int options_init(struct belay_http_client_options *to,
			const struct belay_http_client_options *from)
{
	bool copied;

	*to = *from;
	to->proxy = to->no_proxy = NULL; /* see proxies */
	copied = copy_string(from->ca_file, &to->ca_file);
	copied = copy_string(from->user_agent, &to->user_agent) && copied;
	if (copied)
		return 0;
	options_fini(to);
	return -ENOMEM;
}

static int check_options(const struct belay_http_client_options *options)
{
	const char *agent = options->user_agent;

	if (options->timeout < 0 || options->connect_timeout < 0)
		return -EINVAL;
	if (agent && !belay__is_field_value(agent, strlen(agent)))
		return -EINVAL;
	return 0;
}

/* All of them are there to be given back, whichever fails: the driver's descriptors are none before
 * its turn. */
static int init_parts(belay_http_client *client, const struct belay_http_client_options *options)
{
	int driver = belay__driver_init(client);
	int share = belay__share_init(&client->share);
	int proxies = belay__proxies_init(&client->proxies, options);
	int retry = belay__retry_options(&client->options.retry);

	atomic_init(&client->retry_tokens,
		    (int64_t)client->options.retry.burst * BELAY__RETRY_TOKEN);
	return driver ? driver : share ? share : proxies ? proxies : retry;
}

/* Everything but the driver's task; frees nothing but itself where it fails. */
static int client_alloc(const struct belay_http_client_options *options, belay_http_client **ret)
{
	belay_http_client *client = belay__calloc(1, sizeof *client);
	int err;

	if (!client)
		return -ENOMEM;
	atomic_init(&client->references, 1);
	belay__list_init(&client->queue);
	err = options_init(&client->options, options);
	if (err) {
		belay__free(client);
		return err;
	}
	err = init_parts(client, options);
	if (err) {
		belay__client_unref(client);
		return err;
	}
	*ret = client;
	return 0;
}

static int start_driver(belay_http_client *client)
{
	int err;

	client->group = belay_group_new(belay_background());
	if (!client->group)
		return -ENOMEM;
	err = belay_group_go(client->group, belay__driver_run, client);
	if (err)
		belay_group_wait(client->group);
	return err;
}

/* Relaxed: whoever takes a reference has one already. */
belay_http_client *belay__client_ref(belay_http_client *client)
{
	atomic_fetch_add_explicit(&client->references, 1, memory_order_relaxed);
	return client;
}

/* Release, and acquire by the last: what each holder did with it comes before the free. */
void belay__client_unref(belay_http_client *client)
{
	if (atomic_fetch_sub_explicit(&client->references, 1, memory_order_acq_rel) != 1)
		return;
	belay__driver_fini(client);
	belay__share_fini(&client->share);
	belay__proxies_fini(&client->proxies);
	belay__names_fini(&client->names);
	options_fini(&client->options);
	belay__free(client);
}

int belay_http_client_new(const struct belay_http_client_options *options,
			  belay_http_client **ret)
{
	static const struct belay_http_client_options defaults;
	belay_http_client *client;
	int err;

	if (!options)
		options = &defaults;
	pthread_once(&curl_once, init_curl);
	if (curl_ready != CURLE_OK)
		return -ENOMEM;
	if ((err = check_options(options)) || (err = client_alloc(options, &client)))
		return err;
	err = start_driver(client);
	if (err) {
		belay__client_unref(client);
		return err;
	}
	*ret = client;
	return 0;
}

void belay_http_client_close(belay_http_client *client)
{
	if (!client)
		return;
	belay_cancel(belay_group_ctx(client->group));
	belay_group_wait(client->group);
	belay__client_unref(client);
}
