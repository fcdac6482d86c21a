/* SPDX-License-Identifier: MIT
 *
 * test_client_key.c - a number for whom a request is from.
 */
#include "check.h"
#include "http/client_key.h"

static const uint64_t secret[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

/* The vectors of the reference implementation: the bytes 0, 1, 2 ... under that key. */
static void the_hash_is_siphash_2_4(void **state)
{
	unsigned char data[16];

	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)i;
	assert_true(belay__siphash(secret, data, 0) == 0x726fdb47dd0e0e31);
	assert_true(belay__siphash(secret, data, 8) == 0x93f5f5799a932462);
	assert_true(belay__siphash(secret, data, 15) == 0xa129ca6149be45e5);
}

static bool same(const char *a, const char *b)
{
	return belay__client_key(secret, a) == belay__client_key(secret, b);
}

static void the_port_does_not_count(void **state)
{
	assert_true(same("1.2.3.4:80", "1.2.3.4:8080"));
	assert_false(same("1.2.3.4:80", "1.2.3.5:80"));
	assert_true(same("[::1]:80", "[::1]:8080"));
}

static void of_ipv6_the_network_counts(void **state)
{
	assert_true(same("[2001:db8:1:2::1]:80", "[2001:db8:1:2:ffff::2]:80"));
	assert_false(same("[2001:db8:1:2::1]:80", "[2001:db8:1:3::1]:80"));
	assert_true(same("[fe80::1%2]:80", "[fe80::1%3]:80"));
}

static void odd_addresses_are_somebody_too(void **state)
{
	assert_true(same("unix:", "unix:"));
	assert_false(same("unix:/a:1", "unix:/a:2"));
	assert_false(same("[nonsense]:80", "[other]:80"));
	assert_false(same("", "x"));
}

BELAY_TEST_MAIN(cmocka_unit_test(the_hash_is_siphash_2_4),
		cmocka_unit_test(the_port_does_not_count),
		cmocka_unit_test(of_ipv6_the_network_counts),
		cmocka_unit_test(odd_addresses_are_somebody_too))
