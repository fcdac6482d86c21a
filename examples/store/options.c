/* SPDX-License-Identifier: MIT
 *
 * options.c - what the command line says.
 */
#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LISTEN = 'l',
	HTTPS = 's',
	CERTIFICATE = 'c',
	KEY = 'k',
	DB = 'd',
	DATA = 'f',
	REPLICA = 'r',
	HELP = 'h'
};

static const struct option known[] = {
	{"listen", required_argument, NULL, LISTEN},
	{"https", required_argument, NULL, HTTPS},
	{"certificate", required_argument, NULL, CERTIFICATE},
	{"key", required_argument, NULL, KEY},
	{"db", required_argument, NULL, DB},
	{"data", required_argument, NULL, DATA},
	{"replica", required_argument, NULL, REPLICA},
	{"help", no_argument, NULL, HELP},
	{0},
};

static void help(void)
{
	puts("Usage: store [OPTION]...\n"
	     "Search the packages that this machine knows, over HTTP.\n"
	     "\n"
	     "      --listen ADDRESS  host:port, [v6]:port or unix:/path; port 0 takes a free one\n"
	     "                        (default: $STORE_LISTEN, else 127.0.0.1:8080)\n"
	     "      --certificate FILE, --key FILE\n"
	     "                        serve HTTPS besides, as this: PEM, the certificate with its\n"
	     "                        chain, and its key. Over it browsers speak HTTP/2\n"
	     "      --https ADDRESS   where (default: 127.0.0.1:8443)\n"
	     "      --db FILE         the database, made at the first start and whenever the data\n"
	     "                        has changed (default: packages.db beside this program)\n"
	     "      --data FILE       packages in dpkg's status format, instead of what dpkg and\n"
	     "                        apt have on this machine\n"
	     "      --replica URL     another store to ask for /first/...; may be given up to 16\n"
	     "                        times (default: two inside of this process, one slow)\n"
	     "      --help            show this and exit\n"
	     "\n"
	     "Ctrl-C ends it: requests get 5 seconds to finish.");
}

/* Beside the program, and so in the build folder. */
static const char *default_db(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - sizeof "packages.db");
	char *slash;

	if (n < 0)
		return "packages.db";
	path[n] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "packages.db");
	return path;
}

static const char *default_listen(void)
{
	const char *address = getenv("STORE_LISTEN");

	return address && *address ? address : "127.0.0.1:8080";
}

static enum options_verdict add_replica(struct options *options, const char *url)
{
	if (options->n_replicas == REPLICAS_MOST) {
		fprintf(stderr, "store: more than %d replicas\n", REPLICAS_MOST);
		return OPTIONS_WRONG;
	}
	options->replicas[options->n_replicas++] = url;
	return OPTIONS_RUN;
}

static enum options_verdict take(struct options *options, int option)
{
	switch (option) {
	case LISTEN:
		options->listen = optarg;
		return OPTIONS_RUN;
	case HTTPS:
		options->https = optarg;
		return OPTIONS_RUN;
	case CERTIFICATE:
		options->certificate.chain_file = optarg;
		return OPTIONS_RUN;
	case KEY:
		options->certificate.key_file = optarg;
		return OPTIONS_RUN;
	case DB:
		options->db = optarg;
		return OPTIONS_RUN;
	case DATA:
		options->data = optarg;
		return OPTIONS_RUN;
	case REPLICA:
		return add_replica(options, optarg);
	case HELP:
		help();
		return OPTIONS_HELPED;
	default: /* getopt has said what is wrong */
		return OPTIONS_WRONG;
	}
}

/* What goes together is there together; then the default that hangs on it. */
static enum options_verdict settle_https(struct options *options)
{
	const struct belay_tls_certificate *own = &options->certificate;

	if (!own->chain_file != !own->key_file) {
		fputs("store: --certificate and --key go together\n", stderr);
		return OPTIONS_WRONG;
	}
	if (options->https && !own->chain_file) {
		fputs("store: --https needs --certificate and --key\n", stderr);
		return OPTIONS_WRONG;
	}
	if (!options->https)
		options->https = "127.0.0.1:8443";
	return OPTIONS_RUN;
}

enum options_verdict options_parse(int argc, char **argv, struct options *ret)
{
	enum options_verdict verdict = OPTIONS_RUN;
	int option;

	*ret = (struct options){.listen = default_listen(), .db = default_db()};
	while (verdict == OPTIONS_RUN && (option = getopt_long(argc, argv, "", known, NULL)) != -1)
		verdict = take(ret, option);
	if (verdict == OPTIONS_RUN && optind < argc) {
		fprintf(stderr, "store: what is \"%s\"? See --help.\n", argv[optind]);
		return OPTIONS_WRONG;
	}
	return verdict == OPTIONS_RUN ? settle_https(ret) : verdict;
}
