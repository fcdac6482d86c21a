/* SPDX-License-Identifier: MIT
 *
 * test_address.c - addresses as people write them.
 */
#include "net/address.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static void assert_inet(const char *text, const char *host, const char *port)
{
	struct belay__address address;

	assert_int_equal(belay__address_parse(text, &address), 0);
	assert_int_equal(address.kind, BELAY__ADDRESS_INET);
	assert_string_equal(address.host, host);
	assert_string_equal(address.port, port);
}

static void hosts_and_ports_are_told_apart(void **state)
{
	assert_inet("example.org:80", "example.org", "80");
	assert_inet("127.0.0.1:65535", "127.0.0.1", "65535");
	assert_inet("[::1]:0", "::1", "0");
	assert_inet("[fe80::1%eth0]:80", "fe80::1%eth0", "80");
	assert_inet("localhost:http", "localhost", "http");
}

static void no_host_and_a_star_mean_all_interfaces(void **state)
{
	assert_inet(":8080", "", "8080");
	assert_inet("*:8080", "", "8080");
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "localhost", "localhost:", "::1:80", "[::1]", "[::1", "[::1]80", "[]:80",
		"a:b:c", "host:65536", "host:99999999999999999999", "host:80:", "ho]st:80", "unix:",
		"unix:@",
	};
	struct belay__address address;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (belay__address_parse(texts[i], &address) != -EINVAL)
			fail_msg("\"%s\" was taken for an address", texts[i]);
	assert_int_equal(belay__address_parse(NULL, &address), -EINVAL);
}

static void what_is_too_long_is_refused(void **state)
{
	struct belay__address address;
	char text[400];

	memset(text, 'a', sizeof text);
	memcpy(text + 300, ":80", 4);
	assert_int_equal(belay__address_parse(text, &address), -EINVAL);
	memset(text, 'a', sizeof text);
	memcpy(text, "unix:/", 6);
	text[5 + sizeof address.path.sun_path] = '\0';
	assert_int_equal(belay__address_parse(text, &address), -EINVAL);
	text[5 + sizeof address.path.sun_path - 1] = '\0';
	assert_int_equal(belay__address_parse(text, &address), 0);
}

static void assert_formats(const struct sockaddr *addr, socklen_t len, const char *expected)
{
	char text[BELAY__ADDRESS_SIZE];

	belay__address_format(addr, len, text);
	assert_string_equal(text, expected);
}

static void unix_names_come_back_as_they_went_in(void **state)
{
	static const char *const texts[] = {"unix:/run/belay.sock", "unix:relative", "unix:@name"};
	struct belay__address address;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(belay__address_parse(texts[i], &address), 0);
		assert_int_equal(address.kind, BELAY__ADDRESS_UNIX);
		assert_formats((struct sockaddr *)&address.path, address.path_len, texts[i]);
	}
}

static void an_abstract_name_begins_with_a_zero_and_has_none_at_its_end(void **state)
{
	struct belay__address address;

	assert_int_equal(belay__address_parse("unix:@name", &address), 0);
	assert_int_equal(address.path_len, offsetof(struct sockaddr_un, sun_path) + 5);
	assert_memory_equal(address.path.sun_path, "\0name", 5);
}

static void unnamed_and_foreign_addresses_have_a_text_too(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr foreign = {.sa_family = AF_APPLETALK};

	assert_formats((struct sockaddr *)&un, sizeof(sa_family_t), "unix:");
	assert_formats(&foreign, sizeof foreign, "unknown");
	assert_formats(&foreign, 0, "unknown");
}

static void internet_addresses_have_brackets_where_they_need_them(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};

	inet_pton(AF_INET, "1.2.3.4", &in.sin_addr);
	assert_formats((struct sockaddr *)&in, sizeof in, "1.2.3.4:80");
	inet_pton(AF_INET6, "::1", &in6.sin6_addr);
	assert_formats((struct sockaddr *)&in6, sizeof in6, "[::1]:443");
	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	in6.sin6_scope_id = 2;
	assert_formats((struct sockaddr *)&in6, sizeof in6, "[fe80::1%2]:443");
}

static void ipv4_in_ipv6_is_written_as_ipv4(void **state)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};

	inet_pton(AF_INET6, "::ffff:1.2.3.4", &in6.sin6_addr);
	assert_formats((struct sockaddr *)&in6, sizeof in6, "1.2.3.4:80");
}

BELAY_TEST_MAIN(cmocka_unit_test(hosts_and_ports_are_told_apart),
		cmocka_unit_test(no_host_and_a_star_mean_all_interfaces),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(unix_names_come_back_as_they_went_in),
		cmocka_unit_test(an_abstract_name_begins_with_a_zero_and_has_none_at_its_end),
		cmocka_unit_test(unnamed_and_foreign_addresses_have_a_text_too),
		cmocka_unit_test(internet_addresses_have_brackets_where_they_need_them),
		cmocka_unit_test(ipv4_in_ipv6_is_written_as_ipv4))
