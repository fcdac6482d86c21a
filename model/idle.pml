/* SPDX-License-Identifier: MIT
 *
 * idle.pml - workers that go to sleep while tasks are lined up and woken: nobody sleeps on work.
 *
 * Who         Two workers, which run what stands in their lines and inboxes, search, nap and sleep.
 *             A thread that spawns two tasks, always with the first worker, and one that wakes a
 *             task of the second. As the run defines:
 *             ONE     only one is spawned
 *             HOG     the first task that the first worker runs computes until what stands in its
 *                     line has been taken: so somebody else must come
 *             BUSY    the same of the first task that any worker runs, and it spawns another before
 * Checked     Every task is run: else, in the end, all sleep while something is lined up ("invalid
 *             end state"). Whoever gives up searching has it.
 * Broken      LOOK_FIRST    a worker looks at the lines before it counts itself idle
 *             KEEP_QUIET    who has found something while searching wakes no other
 *             NO_LAST_LOOK  who wanted somebody to search and found nobody asleep does not look
 *                           again
 *             DROP_SEARCH   who gave up searching to sleep, and then found something after all,
 *                           does not take it up again
 *             SLEEP_BLIND   a worker sleeps without a look at its inbox
 * Mirrors     src/task/idle.c; belay__worker_submit(), belay__worker_ready() in src/task/worker.c
 */
#define AWAKE 0
#define SEARCHING 1
#define NAPPING 2
#define ASLEEP 3

byte line[2];  /* new tasks that stand with a worker */
byte inbox[2];
byte state[2];
byte idle;
bit searching;
byte kick[2];  /* written, not yet seen */
byte ran;      /* tasks that were run */
#ifdef ONE
#define SPAWNED 1
#else
#define SPAWNED 2
#endif
#ifdef BUSY
#define ALL (SPAWNED + 2)
#else
#define ALL (SPAWNED + 1)
#endif
bit hogged;

#define other (1 - me)
#define anywhere (line[0] > 0 || line[1] > 0)

/* With house.searching: wakes one to take it over. ok: somebody was asleep. */
inline wake_one(first)
{
	ok = 0;
	atomic {
		if
		:: state[first] == ASLEEP -> state[first] = SEARCHING; kick[first]++; ok = 1
		:: else
		fi
	};
	if
	:: !ok ->
		atomic {
			if
			:: state[1 - first] == ASLEEP ->
				state[1 - first] = SEARCHING; kick[1 - first]++; ok = 1
			:: else
			fi
		}
	:: else
	fi
}

inline search_wanted(first)
{
	do
	:: true ->
		if
		:: searching -> break
		:: else
		fi;
		if
		:: idle == 0 -> break
		:: else
		fi;
		atomic {
			if
			:: searching -> break
			:: else -> searching = 1
			fi
		};
		wake_one(first);
		if
		:: ok -> break
		:: else
		fi;
		searching = 0;
#ifdef BROKEN_NO_LAST_LOOK
		break;
#endif
		if
		:: !anywhere -> break
		:: else
		fi
	od
}

inline kick_worker(w)
{
	atomic {
		if
		:: state[w] == ASLEEP -> state[w] = AWAKE; kick[w]++
		:: state[w] == NAPPING -> state[w] = SEARCHING; kick[w]++
		:: else
		fi
	}
}

inline search_over()
{
	state[me] = AWAKE;
	assert(searching);
	searching = 0;
#ifndef BROKEN_KEEP_QUIET
	if
	:: anywhere -> search_wanted(me)
	:: else
	fi
#endif
}

/* found: a task of the own line, or the inbox. */
inline take()
{
	atomic {
		if
		:: line[me] > 0 -> line[me]--; found = 1
		:: inbox[me] > 0 -> inbox[me]--; found = 1
		:: else -> found = 0
		fi
	}
}

/* Whether the other is stuck is left to chance; but then it is so at some time. */
inline steal()
{
	atomic {
		if
		:: line[other] > 0 -> line[other]--; line[me]++
		:: true
		fi
	}
}

inline begin_search()
{
	atomic {
		if
		:: !searching -> searching = 1; state[me] = SEARCHING
		:: else
		fi
	}
}

/* Ends by itself, too. */
inline nap()
{
	state[me] = NAPPING;
	if
	:: inbox[me] > 0 || line[me] > 0 -> skip
	:: else -> skip
	fi;
	state[me] = SEARCHING;
	kick[me] = 0
}

inline go_to_sleep()
{
	searched = (state[me] == SEARCHING);
#ifdef BROKEN_LOOK_FIRST
	may = (inbox[me] == 0 && line[me] == 0 && !anywhere);
#endif
	state[me] = ASLEEP;
	idle++;
	if
	:: searched -> searching = 0
	:: else
	fi;
#ifndef BROKEN_LOOK_FIRST
	may = (line[me] == 0);
#ifndef BROKEN_SLEEP_BLIND
	if
	:: inbox[me] > 0 -> may = 0
	:: else
	fi;
#endif
	if
	:: may && !searching -> may = !anywhere
	:: else
	fi;
#endif
	if
	:: may ->
end_asleep:
		kick[me] > 0
	:: else
	fi;
	idle--;
	atomic {
		if
		:: state[me] == ASLEEP -> state[me] = AWAKE
		:: else
		fi
	};
	kick[me] = 0;
#ifndef BROKEN_DROP_SEARCH
	if
	:: searched && !may && state[me] != SEARCHING -> begin_search()
	:: else
	fi
#endif
}

inline go_idle()
{
	if
	:: state[me] != SEARCHING -> begin_search()
	:: else
	fi;
	if
	:: state[me] == SEARCHING -> steal()
	:: else
	fi;
	if
	:: line[me] > 0 || inbox[me] > 0 -> skip
	:: else ->
		if
		:: state[me] == SEARCHING -> nap()
		:: go_to_sleep()
		fi
	fi
}

proctype works(byte me)
{
	bit found, searched, may, ok, hogs;

	do
	:: ran == ALL -> break
	:: else ->
		take();
		if
		:: found ->
			if
			:: state[me] == SEARCHING -> search_over()
			:: else
			fi;
#ifdef BUSY
			atomic { hogs = !hogged; hogged = 1 };
#endif
#ifdef HOG
			hogs = (me == 0 && !hogged);
			hogged = hogged || hogs;
#endif
			if
			:: hogs ->
#ifdef BUSY
				line[me]++;
				search_wanted(me);
#endif
				line[me] == 0
			:: else
			fi;
			ran++
		:: else -> go_idle()
		fi
	od
}

proctype spawns()
{
	byte n;
	bit ok;

	do
	:: n < SPAWNED ->
		line[0]++;
		search_wanted(0);
		kick_worker(0);
		n++
	:: else -> break
	od
}

proctype wakes()
{
	inbox[1]++;
	kick_worker(1)
}

init
{
	atomic {
		run works(0);
		run works(1);
		run spawns();
		run wakes()
	};
	ran == ALL
}
