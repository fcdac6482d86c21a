/* SPDX-License-Identifier: MIT
 *
 * test_chan_arguments.c - NULL, elements of the wrong size, and the macros' functions.
 */
#include "chan_test.h"

#include <errno.h>

/* semantics 2.1 */
static void a_null_channel_is_never_ready_and_ends_only_with_the_context(void **state)
{
	belay_ctx *ctx = belay_with_timeout(bg(), BELAY_MS(2));
	belay_ctx *other = belay_with_timeout(bg(), BELAY_MS(2));
	belay_chan *none = NULL;
	int got = 7;

	assert_int_equal(belay_try_send(none, &got), -EAGAIN);
	assert_int_equal(belay_try_recv(none, &got), -EAGAIN);
	assert_int_equal(belay_recv(ctx, none, &got), -ETIME);
	assert_int_equal(belay_send(other, none, &got), -ETIME);
	assert_int_equal(got, 7);
	belay_end(other);
	belay_end(ctx);
}

static void a_null_channel_is_harmless_elsewhere(void **state)
{
	assert_int_equal(belay_chan_close(NULL), -EINVAL);
	assert_int_equal(belay_chan_len(NULL), 0);
	assert_int_equal(belay_chan_cap(NULL), 0);
	assert_null(belay_chan_ref(NULL));
	belay_chan_unref(NULL);
}

static void a_null_context_is_einval(void **state)
{
	belay_chan *ch = make(2);
	int got = 7;

	assert_int_equal(belay_send(NULL, ch, &got), -EINVAL);
	assert_int_equal(belay_recv(NULL, ch, &got), -EINVAL);
	assert_int_equal(belay_chan_len(ch), 0);
	belay_chan_unref(ch);
}

static void an_element_of_another_size_is_emsgsize(void **state)
{
	belay_chan *ch = make(2);
	long long wide = 1;
	char narrow = 2;
	int right = 3;

	assert_int_equal(belay_send(bg(), ch, &wide), -EMSGSIZE);
	assert_int_equal(belay_send(bg(), ch, &narrow), -EMSGSIZE);
	assert_int_equal(belay_try_send(ch, &wide), -EMSGSIZE);
	assert_int_equal(belay_chan_len(ch), 0);
	assert_int_equal(belay_send(bg(), ch, &right), 0);
	assert_int_equal(belay_recv(bg(), ch, &wide), -EMSGSIZE);
	assert_int_equal(belay_try_recv(ch, &narrow), -EMSGSIZE);
	assert_int_equal(belay_chan_len(ch), 1);
	assert_int_equal(wide, 1);
	assert_int_equal(narrow, 2);
	belay_chan_unref(ch);
}

static void a_wrong_size_is_told_before_it_would_block(void **state)
{
	belay_chan *ch = make(0);
	long long wide = 1;

	assert_int_equal(belay_recv(bg(), ch, &wide), -EMSGSIZE);
	assert_int_equal(belay_send(bg(), ch, &wide), -EMSGSIZE);
	belay_chan_unref(ch);
}

static void an_element_of_unknown_type_is_not_checked(void **state)
{
	belay_chan *ch = make(1);
	int in = 5, out = 0;
	const void *from = &in;
	void *to = &out;

	assert_int_equal(belay_send(bg(), ch, from), 0);
	assert_int_equal(belay_recv(bg(), ch, to), 0);
	assert_int_equal(out, 5);
	belay_chan_unref(ch);
}

static void real_functions_stand_behind_the_macros(void **state)
{
	belay_chan *ch = make(2);
	int in = 5, out = 0;

	assert_int_equal((belay_send)(bg(), ch, &in), 0);
	assert_int_equal((belay_try_send)(ch, &in), 0);
	assert_int_equal((belay_recv)(bg(), ch, &out), 0);
	assert_int_equal(out, 5);
	out = 0;
	assert_int_equal((belay_try_recv)(ch, &out), 0);
	assert_int_equal(out, 5);
	belay_chan_unref(ch);
}

struct pair {
	int a, b;
};

static void a_compound_literal_with_commas_can_be_sent(void **state)
{
	belay_chan *ch = check_made(belay_chan_new(sizeof(struct pair), 1));
	struct pair got = {0};

	assert_int_equal(belay_send(bg(), ch, &(struct pair){1, 2}), 0);
	assert_int_equal(belay_recv(bg(), ch, &got), 0);
	assert_int_equal(got.a * 10 + got.b, 12);
	belay_chan_unref(ch);
}

BELAY_TEST_MAIN(cmocka_unit_test(a_null_channel_is_never_ready_and_ends_only_with_the_context),
		cmocka_unit_test(a_null_channel_is_harmless_elsewhere),
		cmocka_unit_test(a_null_context_is_einval),
		cmocka_unit_test(an_element_of_another_size_is_emsgsize),
		cmocka_unit_test(a_wrong_size_is_told_before_it_would_block),
		cmocka_unit_test(an_element_of_unknown_type_is_not_checked),
		cmocka_unit_test(real_functions_stand_behind_the_macros),
		cmocka_unit_test(a_compound_literal_with_commas_can_be_sent))
