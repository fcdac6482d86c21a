/* SPDX-License-Identifier: MIT
 *
 * first.cc - the first program, as C++ would have it. test_install.sh runs it.
 */
#include <belay.h>

#include <cstdio>

struct data {
	const char *user_id;
};

static void work(belay_ctx *ctx, void *arg)
{
	belay_chan *ch = static_cast<belay_chan *>(arg);
	struct data d = {"123"};

	if (belay_sleep(ctx, BELAY_MS(50)) == 0)
		belay_send(ctx, ch, &d);
	belay_chan_unref(ch);
}

int main()
{
	BELAY_SCOPED belay_ctx *ctx = belay_with_timeout(belay_background(), BELAY_S(10));
	belay_chan *ch = belay_chan_new(sizeof(struct data), 1);
	struct data d;

	belay_go(ctx, work, belay_chan_ref(ch));
	if (belay_select(ctx, BELAY_RECV(ch, &d)) == 0)
		std::printf("work complete %s\n", d.user_id);
	else
		std::printf("work cancelled: %s\n", belay_strerror(belay_err(ctx)));
	belay_chan_unref(ch);
}
