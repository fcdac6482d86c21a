/* SPDX-License-Identifier: MIT
 *
 * belay.h - the whole core of Belay in one include.
 *
 * Rules that hold for every call: a context is the first parameter; results are 0 or a count on
 * success and a negative errno on failure; -ECANCELED and -ETIME come from the context and from
 * nothing else; a call that returns an error has had no effect; every call works from a plain
 * thread and from a task alike, unless its own comment says otherwise.
 */
#ifndef BELAY_H
#define BELAY_H

#include <belay/chan.h>
#include <belay/conn_filter.h>
#include <belay/context.h>
#include <belay/group.h>
#include <belay/log.h>
#include <belay/net.h>
#include <belay/os.h>
#include <belay/process.h>
#include <belay/report.h>
#include <belay/select.h>
#include <belay/stats.h>
#include <belay/sync.h>
#include <belay/task.h>
#include <belay/time.h>
#include <belay/tree.h>
#include <belay/typed_chan.h>

#endif
