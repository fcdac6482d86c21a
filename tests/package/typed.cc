/* SPDX-License-Identifier: MIT
 *
 * typed.cc - the first program, with a channel that knows its elements' type. test_install.sh runs
 * it.
 */
#include <belay.h>

#include <cstdio>

struct data {
	const char *user_id;
};

BELAY_CHAN(data_chan, data);

static void work(belay_ctx *ctx, void *arg)
{
	data_chan *ch = static_cast<data_chan *>(arg);
	data d = {"123"};

	if (belay_sleep(ctx, BELAY_MS(50)) == 0)
		data_chan_send(ctx, ch, &d);
	data_chan_unref(ch);
}

int main()
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(10));
	data_chan *ch = data_chan_new(1);
	data d;

	belay_go(ctx, work, data_chan_ref(ch));
	if (belay_select(ctx, data_chan_case_recv(ch, &d)) == 0)
		std::printf("work complete %s\n", d.user_id);
	else
		std::printf("work cancelled: %s\n", belay_strerror(belay_err(ctx)));
	data_chan_unref(ch);
}
