/* SPDX-License-Identifier: MIT
 *
 * config.c - one side's settings, and what was loaded for them last.
 *
 * A reload loads beside what is in use, and then swaps: a connection takes a reference to what is
 * loaded when it begins and keeps that, so none of them notices.
 *
 * Locking     lock guards the pointer alone; files are read without it. Two reloads at once: the
 *             one that ends last has the last word.
 */
#include "tls/tls.h"

#include "base/alloc.h"

#include <belay/task.h>
#include <belay/time.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define HANDSHAKE_TIME BELAY_S(10)

/* ---- Settings -------------------------------------------------------------------------------- */

int belay_tls__protocols(const char *names, unsigned char **ret, size_t *ret_size)
{
	size_t size = strlen(names) + 1, start = 0;
	unsigned char *bytes = belay__malloc(size);

	if (!bytes)
		return -ENOMEM;
	while (start < size) {
		size_t length = strcspn(names + start, ",");

		if (length == 0 || length > 255) {
			belay__free(bytes);
			return -EINVAL;
		}
		bytes[start] = (unsigned char)length;
		memcpy(bytes + start + 1, names + start, length);
		start += length + 1;
	}
	*ret = bytes;
	*ret_size = size;
	return 0;
}

static int copy_protocols(struct belay_tls__settings *settings, const char *names)
{
	return belay_tls__protocols(names, &settings->protocols, &settings->protocols_size);
}

static int copy_string(const char *string, char **ret)
{
	*ret = string ? belay__strdup(string) : NULL;
	return string && !*ret ? -ENOMEM : 0;
}

static int copy_certificate(struct belay_tls__settings *settings,
			    const struct belay_tls_certificate *own)
{
	struct belay_tls_certificate *copy = &settings->certificates[settings->count];

	if (!own->chain_file || !own->key_file)
		return -EINVAL;
	copy->chain_file = belay__strdup(own->chain_file);
	copy->key_file = belay__strdup(own->key_file);
	settings->count++;
	return copy->chain_file && copy->key_file ? 0 : -ENOMEM;
}

static int copy_certificates(struct belay_tls__settings *settings,
			     const struct belay_tls_certificate *own, size_t count)
{
	int err = 0;

	settings->certificates = belay__calloc(count + 1, sizeof *own);
	if (!settings->certificates)
		return -ENOMEM;
	for (size_t i = 0; err == 0 && i < count; i++)
		err = copy_certificate(settings, &own[i]);
	return err;
}

static void settings_fini(struct belay_tls__settings *settings)
{
	for (size_t i = 0; i < settings->count; i++) {
		belay__free((void *)settings->certificates[i].chain_file);
		belay__free((void *)settings->certificates[i].key_file);
	}
	belay__free(settings->certificates);
	belay__free(settings->ca_file);
	belay__free(settings->protocols);
}

static int copy_server(struct belay_tls__settings *settings,
		       const struct belay_tls_server_options *options)
{
	int err;

	if (!options || options->count == 0 || !options->certificates ||
	    (options->clients != BELAY_TLS_CLIENTS_ANY && !options->client_ca_file))
		return -EINVAL;
	settings->server = true;
	settings->clients = options->clients;
	settings->handshake_time =
		options->handshake_time ? options->handshake_time : HANDSHAKE_TIME;
	err = copy_certificates(settings, options->certificates, options->count);
	if (err == 0)
		err = copy_string(options->client_ca_file, &settings->ca_file);
	settings->named = options->protocols != NULL;
	if (err == 0)
		err = copy_protocols(settings, settings->named ? options->protocols : "http/1.1");
	return err;
}

static int copy_client(struct belay_tls__settings *settings,
		       const struct belay_tls_client_options *options)
{
	static const struct belay_tls_client_options none = {0};
	int err;

	options = options ? options : &none;
	settings->handshake_time =
		options->handshake_time ? options->handshake_time : HANDSHAKE_TIME;
	err = copy_certificates(settings, options->certificate, options->certificate ? 1 : 0);
	if (err == 0)
		err = copy_string(options->ca_file, &settings->ca_file);
	if (err == 0 && options->protocols)
		err = copy_protocols(settings, options->protocols);
	return err;
}

/* ---- Loading --------------------------------------------------------------------------------- */

struct loading {
	const struct belay_tls__settings *settings;
	struct belay_tls__loaded *loaded;
	struct belay_tls_error *error;
	int result;
};

static void load(void *arg)
{
	struct loading *loading = arg;

	loading->result =
		belay_tls__load(loading->settings, &loading->loaded, loading->error);
}

int belay_tls_reload(belay_ctx *ctx, belay_tls *tls, struct belay_tls_error *error)
{
	struct loading loading = {&tls->settings, NULL, error, 0};
	struct belay_tls__loaded *before;
	int err = belay_blocking(ctx, load, &loading);

	if (err < 0)
		return belay_tls__fail(error, err, NULL, belay_strerror(err));
	if (loading.result < 0)
		return loading.result;
	pthread_mutex_lock(&tls->lock);
	before = tls->loaded;
	tls->loaded = loading.loaded;
	pthread_mutex_unlock(&tls->lock);
	belay_tls__loaded_unref(before);
	return 0;
}

/* Under the lock the object's own reference keeps it from going. */
struct belay_tls__loaded *belay_tls__loaded_of(belay_tls *tls)
{
	struct belay_tls__loaded *loaded;

	pthread_mutex_lock(&tls->lock);
	loaded = tls->loaded;
	atomic_fetch_add_explicit(&loaded->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&tls->lock);
	return loaded;
}

/* ---- Making ---------------------------------------------------------------------------------- */

belay_tls *belay_tls_ref(belay_tls *tls)
{
	atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
	return tls;
}

/* Release and acquire: the last one sees what the others did with it. */
void belay_tls_unref(belay_tls *tls)
{
	if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) > 1)
		return;
	belay_tls__loaded_unref(tls->loaded);
	settings_fini(&tls->settings);
	pthread_mutex_destroy(&tls->lock);
	belay__free(tls);
}

static belay_tls *make(void)
{
	belay_tls *tls = belay__calloc(1, sizeof *tls);

	if (!tls)
		return NULL;
	tls->refs = 1;
	pthread_mutex_init(&tls->lock, NULL);
	return tls;
}

/* Loads what the settings, the copying of which ended with err, say; takes tls. */
static int complete(belay_ctx *ctx, belay_tls *tls, int err, belay_tls **ret,
		    struct belay_tls_error *error)
{
	if (err < 0)
		belay_tls__fail(error, err, NULL,
				err == -EINVAL ? "the options are incomplete" : strerror(-err));
	else
		err = belay_tls_reload(ctx, tls, error);
	if (err < 0) {
		belay_tls_unref(tls);
		return err;
	}
	*ret = tls;
	return 0;
}

int belay_tls_server_new(belay_ctx *ctx, const struct belay_tls_server_options *options,
			 belay_tls **ret, struct belay_tls_error *error)
{
	belay_tls *tls = make();

	if (!tls)
		return belay_tls__fail(error, -ENOMEM, NULL, "out of memory");
	return complete(ctx, tls, copy_server(&tls->settings, options), ret, error);
}

int belay_tls_client_new(belay_ctx *ctx, const struct belay_tls_client_options *options,
			 belay_tls **ret, struct belay_tls_error *error)
{
	belay_tls *tls = make();

	if (!tls)
		return belay_tls__fail(error, -ENOMEM, NULL, "out of memory");
	return complete(ctx, tls, copy_client(&tls->settings, options), ret, error);
}
