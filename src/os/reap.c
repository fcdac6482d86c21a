/* SPDX-License-Identifier: MIT
 *
 * reap.c - the one who waits for a child: takes its output, and reaps it.
 */
#include "net/io.h"
#include "os/process.h"
#include "wait/timer.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static int take_output(struct belay_process *process)
{
	int err = 0;

	for (int i = 0; i < BELAY__OUTPUTS && err == 0; i++)
		err = belay__intake_take(&process->output[i]);
	return err;
}

static bool close_output(struct belay_process *process)
{
	bool any = false;

	for (int i = 0; i < BELAY__OUTPUTS; i++)
		any |= belay__intake_close(&process->output[i]);
	return any;
}

static bool is_drained(const struct belay_process *process)
{
	return process->output[0].fd < 0 && process->output[1].fd < 0;
}

/* As it is now. */
static enum belay__process_state look_at_state(struct belay_process *process, bool *ret_over)
{
	enum belay__process_state state;

	belay__process_take(process);
	belay__process_attend(process);
	belay__process_look(process);
	state = process->state;
	*ret_over = process->is_over;
	belay__process_give(process);
	return state;
}

/* Who dies of SIGKILL needs no looking after but for its output: see process.h. */
static bool waits_for_others(const struct belay_process *process)
{
	if (process->killed && (is_drained(process) || process->dead_by <= belay_now()))
		return false;
	return belay__child_signal(&process->child, 0) != -ESRCH;
}

static void reap(struct belay_process *process)
{
	belay__process_take(process);
	belay__child_reap(&process->child);
	process->state = process->stopped && process->child.group ? LINGERING : GONE;
	belay__process_give(process);
}

/* Nobody can keep its pipes from us any longer; what is in them is taken along. */
static int leave(struct belay_process *process)
{
	int err = 0;

	for (int i = 0; i < BELAY__OUTPUTS && err == 0; i++)
		err = belay__intake_take_rest(&process->output[i]);
	if (err == 0)
		process->exit.held |= close_output(process);
	return err;
}

/* Sets the alarm for the next look, where there is need for one. True: the process is gone. */
static bool look_again_later(struct belay_process *process)
{
	bool gone;

	belay__process_take(process);
	if (process->state == LINGERING && !waits_for_others(process))
		process->state = GONE;
	process->look_at = BELAY_FOREVER;
	if (process->state == LINGERING || (process->state == RUNNING && process->polled)) {
		process->look_at = belay__moment(process->pause);
		if (process->pause < BELAY__LOOK_LAST)
			process->pause *= 2;
	}
	belay__process_set_alarm(process);
	gone = process->state == GONE;
	belay__process_give(process);
	return gone;
}

ssize_t belay__process_step(int epoll, void *arg)
{
	struct belay_process *process = arg;
	int err = take_output(process);
	bool over;

	(void)epoll;
	if (err < 0)
		return err;
	if (look_at_state(process, &over) == EXITED && (is_drained(process) || over))
		reap(process);
	if (!look_again_later(process))
		return -EAGAIN;
	err = leave(process);
	return err < 0 ? err : 1;
}

bool belay__process_is_gone(struct belay_process *process)
{
	bool gone;

	belay__process_take(process);
	gone = process->state == GONE;
	belay__process_give(process);
	return gone;
}

/* ---- Its end --------------------------------------------------------------------------------- */

/* The last resort where even the means to wait are lacking: a wait that fails may not have made a
 * single try. */
static void nap(void)
{
	const struct timespec turn = {.tv_nsec = BELAY_MS(1)};

	if (belay_sleep(belay_background(), BELAY_MS(1)) < 0)
		nanosleep(&turn, NULL);
}

void belay__process_wait_until_gone(struct belay_process *process)
{
	while (!belay__process_is_gone(process)) {
		for (int i = 0; i < BELAY__OUTPUTS; i++)
			belay__intake_refuse(&process->output[i]);
		if (belay__io_lent(belay_background(), process->epoll, BELAY_READABLE,
				   belay__process_step, process) < 0 &&
		    belay__process_step(process->epoll, process) < 0)
			nap();
	}
}
