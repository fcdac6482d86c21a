/* SPDX-License-Identifier: MIT
 *
 * visitor.pml - the only reference is given up without an atomic subtraction while somebody visits
 * all objects and takes references to what he finds.
 *
 * Who         Two threads give up the only reference to an object each; a third, which is new,
 *             joins the ring of threads, makes an object, gives it up and leaves. A visitor takes
 *             what references he can, and gives them up after his visit. As the run defines:
 *             TWO       another visitor at the same time, and no third thread
 *             EXPELLED  membarrier(2) works no more, as the visitor finds out
 * Checked     Nobody holds or finds an object that was freed; each is freed exactly once; nobody
 *             looks at a thread that has left; nobody waits for ever.
 * Broken      NO_MEMBARRIER   the visitor has the others run no barrier
 *             LOOK_FIRST      who drops looks for visitors before he says that he drops
 *             COUNT_FIRST     he reads the count before he looks for visitors
 *             NO_WAIT         the visitor does not wait for those who drop
 *             JOIN_LATE       the new thread drops before it has joined the ring
 *             LEAVE_UNLOCKED  it leaves the ring without the lock
 *             GO_ON           they go on dropping where membarrier(2) works no more
 * Mirrors     src/base/slab.[ch]: belay__slab_drop(), begin_visit(), end_visit(), thread_new(),
 *             leave(), drop_no_more(); give_up_only() in src/context/tree.c.
 * Memory      What a thread stores stands in a buffer of its own, in order, before the others see
 *             it; an atomic operation empties that first, a membarrier everybody's. That is what
 *             x86 does (total store order). Loads are not reordered but by COUNT_FIRST.
 */
#define THREADS 3
#define NEW 2
#define REFS 0
#define DROPPING 1

byte refs[THREADS];     /* of the object that thread n has made */
bit freed[THREADS], dropping[THREADS];
bit in_ring[THREADS], gone[THREADS];
byte visitors;
bit ring_lock;
chan buffer[THREADS] = [3] of { bit, bit }; /* which of the two, and what it becomes */

#define take atomic { !ring_lock -> ring_lock = 1 }
#define give atomic { assert(ring_lock); ring_lock = 0 }

inline arrive(n)
{
	buffer[n] ? what, value;
	if
	:: what == REFS -> refs[n] = value
	:: what == DROPPING -> dropping[n] = value
	fi;
	what = 0; value = 0 /* or there would be more states of one kind */
}

inline drain(n)
{
	do
	:: nempty(buffer[n]) -> arrive(n)
	:: empty(buffer[n]) -> break
	od
}

/* Stores arrive whenever they do. */
active proctype memory()
{
	bit what, value;

end:	do
	:: atomic { nempty(buffer[0]) -> arrive(0) }
	:: atomic { nempty(buffer[1]) -> arrive(1) }
	:: atomic { nempty(buffer[NEW]) -> arrive(NEW) }
	od
}

inline free_object(n)
{
	atomic { assert(!freed[n]); freed[n] = 1 }
}

inline look()
{
	seen = visitors
}

inline drop(n)
{
	dropped = 0;
#ifdef BROKEN_LOOK_FIRST
	look();
#endif
	buffer[n] ! DROPPING, 1;
#ifdef BROKEN_COUNT_FIRST
	count = refs[n];
#endif
#ifndef BROKEN_LOOK_FIRST
	look();
#endif
	if
	:: seen == 0 ->
#ifndef BROKEN_COUNT_FIRST
		count = refs[n];
#endif
		if
		:: count == 1 -> buffer[n] ! REFS, 0; dropped = 1
		:: else
		fi
	:: else
	fi;
	seen = 0; count = 0;
	buffer[n] ! DROPPING, 0
}

/* By the one who made it. */
inline give_up(n)
{
	drop(n);
	if
	:: dropped -> last = 1
	:: else -> atomic { drain(n); assert(refs[n] > 0); refs[n]--; last = (refs[n] == 0) }
	fi;
	if
	:: last -> free_object(n)
	:: else
	fi
}

proctype drops(byte self)
{
	bit what, value, dropped, last;
	byte seen, count;

	give_up(self)
}

/* Taking and giving a lock empties the buffer only in part; here it need not at all. */
inline join()
{
	take;
	in_ring[NEW] = 1;
	give
}

proctype is_new()
{
	bit what, value, dropped, last;
	byte seen, count;

#ifndef BROKEN_JOIN_LATE
	join();
#endif
	atomic { freed[NEW] = 0; refs[NEW] = 1 };
	give_up(NEW);
#ifdef BROKEN_JOIN_LATE
	join();
#endif
#ifdef BROKEN_LEAVE_UNLOCKED
	in_ring[NEW] = 0;
	gone[NEW] = 1
#else
	atomic { !ring_lock -> ring_lock = 1; drain(NEW) };
	in_ring[NEW] = 0;
	atomic { give; gone[NEW] = 1 }
#endif
}

inline begin_visit()
{
	atomic { visitors++ };
#ifdef EXPELLED
#ifndef BROKEN_GO_ON
	/* Slow enough for all that was stored before. */
	atomic { drain(0); drain(1); drain(NEW) };
	take;
	atomic { !expelled -> expelled = 1; visitors++ };
	give;
#endif
#else
#ifndef BROKEN_NO_MEMBARRIER
	atomic { drain(0); drain(1); drain(NEW) };
#endif
#endif
	take;
#ifndef BROKEN_NO_WAIT
	n = 0;
	do
	:: n < THREADS && in_ring[n] ->
		atomic { assert(!gone[n]); !dropping[n] };
		n++
	:: n < THREADS && !in_ring[n] -> n++
	:: n == THREADS -> break
	od;
#endif
	give
}

#ifdef EXPELLED
bit expelled;
#endif

proctype visits()
{
	bit what, value, last;
	bit held[THREADS];
	byte n;

	begin_visit();
	n = 0;
	do
	:: n < THREADS ->
		atomic {
			if
			:: refs[n] > 0 -> assert(!freed[n]); refs[n]++; held[n] = 1
			:: else
			fi
		};
		n++
	:: else -> break
	od;
	visitors--;
	n = 0;
	do
	:: n < THREADS && held[n] ->
		assert(!freed[n]);
		atomic { assert(refs[n] > 0); refs[n]--; last = (refs[n] == 0) };
		if
		:: last -> free_object(n)
		:: else
		fi;
		held[n] = 0; last = 0;
		n++
	:: n < THREADS && !held[n] -> n++
	:: n == THREADS -> break
	od
}

init
{
	atomic {
		refs[0] = 1; refs[1] = 1;
		in_ring[0] = 1; in_ring[1] = 1;
		run drops(0);
		run drops(1);
		run visits();
#ifdef TWO
		run visits();
		freed[NEW] = 1;
#else
		run is_new();
#endif
	};
	_nr_pr == 2; /* memory is one */
	empty(buffer[0]) && empty(buffer[1]) && empty(buffer[NEW]);
	assert(freed[0] && freed[1] && freed[NEW]);
	assert(refs[0] == 0 && refs[1] == 0 && refs[NEW] == 0)
}
