/* SPDX-License-Identifier: MIT
 *
 * process.h - programs that are run under a context.
 *
 * A program that is started here begins with every signal at its default and none blocked but what
 * this program itself blocks, with no descriptor but those it is given, and as the leader of a
 * process group of its own. When its context is done the whole group gets SIGTERM, and SIGKILL
 * after a grace period; that needs neither a free worker nor somebody who waits for it. It is told
 * of the context by its environment: see belay_from_environment().
 *
 * Status needs waitpid(2), and who waits first gets it: in a program that waits for any child
 * (waitpid(-1)) a wait here may come too late, and says so with -ECHILD. No handler for SIGCHLD is
 * set, and none is needed.
 */
#ifndef BELAY_PROCESS_H
#define BELAY_PROCESS_H

#include <belay/context.h>

#include <sys/types.h>

BELAY_BEGIN_DECLS

/* ---- Standard input, output and error -----------------------------------------------------------
 *
 * Zeroed: /dev/null. For all else there is a function, whose result is to be assigned:
 *
 *     command.out = belay_stdio_capture(&text); */

/* What a program has written, to be read by the caller. */
struct belay_capture {
	size_t limit; /* at most so many bytes; 0: BELAY_CAPTURE_LIMIT. What comes after them is
			 read and thrown away, so that the program is not held up              */
	char *data;   /* the caller's, for free(3); a '\0' stands behind it. NULL: not captured */
	size_t size;  /* without that '\0'                                                      */
	bool cut;     /* there was more than limit                                              */
};

enum { BELAY_CAPTURE_LIMIT = 1 << 20 };

enum belay_stdio_kind {
	BELAY_STDIO_NULL,
	BELAY_STDIO_INHERIT,
	BELAY_STDIO_FD,
	BELAY_STDIO_DATA,
	BELAY_STDIO_CAPTURE,
	BELAY_STDIO_PIPE,
	BELAY_STDIO_OUTPUT
};

/* Made by the functions below; its fields may be set directly too. */
struct belay_stdio {
	enum belay_stdio_kind kind;
	int fd;
	int *pipe;
	const void *data;
	size_t size;
	struct belay_capture *capture;
};

static inline struct belay_stdio belay__stdio(enum belay_stdio_kind kind)
{
	struct belay_stdio stdio = {BELAY_STDIO_NULL, -1, NULL, NULL, 0, NULL};

	stdio.kind = kind;
	return stdio;
}

/* This program's own. */
static inline struct belay_stdio belay_stdio_inherit(void)
{
	return belay__stdio(BELAY_STDIO_INHERIT);
}

/* A duplicate of fd, which stays the caller's. */
static inline struct belay_stdio belay_stdio_fd(int fd)
{
	struct belay_stdio stdio = belay__stdio(BELAY_STDIO_FD);

	stdio.fd = fd;
	return stdio;
}

/* For input: size bytes, which are copied into a file in memory before the program starts. */
static inline struct belay_stdio belay_stdio_data(const void *data, size_t size)
{
	struct belay_stdio stdio = belay__stdio(BELAY_STDIO_DATA);

	stdio.data = data;
	stdio.size = size;
	return stdio;
}

/* For output and error: into capture, whose limit is set, as far as somebody waits; the rest of it
 * is written by the start (zeroed) and by the end of the wait. Each capture serves one of them. */
static inline struct belay_stdio belay_stdio_capture(struct belay_capture *capture)
{
	struct belay_stdio stdio = belay__stdio(BELAY_STDIO_CAPTURE);

	stdio.capture = capture;
	return stdio;
}

/* A pipe, whose other end *ret becomes once the program has been started: the caller's, to be read
 * or written with belay_read() and belay_write() under a context, and to be closed. It is in
 * non-blocking mode. Writing where nobody reads any more raises SIGPIPE, as for every pipe. */
static inline struct belay_stdio belay_stdio_pipe(int *ret)
{
	struct belay_stdio stdio = belay__stdio(BELAY_STDIO_PIPE);

	stdio.pipe = ret;
	return stdio;
}

/* For error: where output goes. */
static inline struct belay_stdio belay_stdio_output(void)
{
	return belay__stdio(BELAY_STDIO_OUTPUT);
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* The grace period where a command names none. */
#define BELAY_GRACE BELAY_S(5)

/* What to run; zeroed but for argv it runs with this program's environment and folder, and with
 * /dev/null three times. Only read, and only until the start returns. */
struct belay_command {
	const char *const *argv; /* ends with NULL; at least argv[0] */

	/* The file to run; NULL: argv[0]. Without a slash it is looked for in this program's PATH,
	 * else it is a path as seen from dir. */
	const char *program;

	/* "NAME=value" ..., NULL. NULL: this program's own. And what is to stand in it besides,
	 * each in place of what it has of that name; "NAME" alone: without it. NULL: nothing. */
	const char *const *env;
	const char *const *add_env;

	const char *dir; /* the folder to start in; NULL: this program's */
	struct belay_stdio in, out, err;

	/* Become 3, 4 ... in the program; they stay the caller's. */
	const int *fds;
	size_t fd_count;

	/* Their names, as many: then the program is told of them as systemd tells of sockets
	 * (LISTEN_FDS, LISTEN_FDNAMES; sd_listen_fds(3)), and gets them by belay_inherited_fd().
	 * Not empty, with neither ":" nor control characters in them, 255 bytes at most. NULL:
	 * what the environment says of such descriptors stays. */
	const char *const *fd_names;

	/* Nanoseconds from SIGTERM to SIGKILL; 0: BELAY_GRACE; negative: SIGKILL at once;
	 * BELAY_FOREVER: never. */
	int64_t grace;

	/* It stays in this program's process group, as it must to read from a terminal; signals
	 * then reach it, but not what it starts. */
	bool same_group;
};

/* How a program has ended. */
struct belay_exit {
	int err;    /* 0: by itself; else its context's error: that was done before it ended     */
	int code;   /* its exit status; -1: a signal ended it                                    */
	int signal; /* that one; 0: none                                                         */
	bool held;  /* it has left somebody behind who still held its captured output when the
		       grace period was over: captured is what had come by then. Where its group
		       was killed, somebody else than who was in it (or whom SIGKILL has not ended
		       within a second)                                                          */
};

/* Runs command and waits for it: 0 and *ret (which may be NULL) where it ended by itself, whatever
 * its exit status. Where ctx was done before it ended: ctx's error, with *ret and the captures
 * written all the same. Other errors leave *ret alone, and captures with data NULL:
 *
 *     -ENOENT, -EACCES, -ENOEXEC, -ENOTDIR ...   what execve(2) or chdir(2) said
 *     -EBADF         a descriptor to be given to it is not open
 *     -EINVAL        no ctx, no argv[0], a way of input, output or error that is none for it, a
 *                    descriptor's name that is none
 *     -ECHILD        this program ignores SIGCHLD (SA_NOCLDWAIT, too): nothing was started; or it
 *                    has waited for the child elsewhere: that has ended, and its status is lost
 *     -ENOMEM, -EAGAIN, -EMFILE, -ENFILE         as fork(2) and pipe(2)
 *
 * With a context that is done nothing is started. Blocks until the program has ended, and what it
 * has left behind has closed its captured output, at most a grace period longer. Where ctx ended
 * it, also until its whole group has ended, or got SIGKILL and, where it held captured output, died
 * of it: for a second at most. */
BELAY_EXPORT int belay_exec(BELAY_BORROWED belay_ctx *ctx, const struct belay_command *command,
			    struct belay_exit *ret);

/* ---- Processes ------------------------------------------------------------------------------- */

typedef struct belay_process belay_process;

/* Ends process as the end of its context would, waits until it is gone, and frees it. NULL is fine.
 * Blocks for up to the grace period (with BELAY_FOREVER as long as it takes), or not at all once a
 * wait has returned 0. Its captures are not written any more. */
BELAY_EXPORT void belay_process_end(belay_process *process) BELAY_RELEASES;

/* Starts command: 0 and *ret, which lives until belay_process_end(), or an error of belay_exec()'s
 * and nothing was started. Blocks as long as the kernel loads the program, not longer. ctx's end
 * ends the process from now on, also where nobody waits. */
BELAY_EXPORT int belay_process_start(BELAY_BORROWED belay_ctx *ctx,
				     const struct belay_command *command, belay_process **ret);

/* Blocks until process is gone, as belay_exec() does, and reads what is captured meanwhile: without
 * a wait a program that writes much to a capture is held up. 0, *ret (may be NULL) and the
 * captures; from then on at once, the same *ret, and no captures any more. ctx is that of the wait
 * alone: its error leaves the process as it is, to be waited for again. -ENOMEM likewise; -ECHILD
 * as above. One at a time. */
BELAY_EXPORT int belay_process_wait(BELAY_BORROWED belay_ctx *ctx, belay_process *process,
				    struct belay_exit *ret);

/* Sends it and its group a signal: 0; -ESRCH: it has been waited for; -EINVAL: no such signal;
 * -EPERM. Any thread; does not block. */
BELAY_EXPORT int belay_process_signal(belay_process *process, int number);

/* Lets process go its own way and frees it: its context ends it no more (unless that has begun),
 * and nobody waits for it. For a program that is to outlive this one: its successor. Its captures
 * are not written any more, and their pipes closed. Until this program ends it becomes a zombie at
 * its end, unless belay_wait_pid() waits for it. NULL is fine. Does not block; nobody may be using
 * process. */
BELAY_EXPORT void belay_process_detach(belay_process *process) BELAY_RELEASES;

/* Its number, which is its group's too. Once it has been waited for the number may be another's. */
BELAY_EXPORT pid_t belay_process_pid(const belay_process *process);

/* Waits for a child that the program has started by other means, until it has ended: 0 and *ret
 * (may be NULL) as waitpid(2)'s status; ctx's error; -ECHILD: no child of this process's, or waited
 * for already; -EINVAL: no ctx, or pid is not positive. Where the kernel has no pidfd_open(2) it
 * looks again every 1 to 64 ms. */
BELAY_EXPORT int belay_wait_pid(BELAY_BORROWED belay_ctx *ctx, pid_t pid, int *ret);

/* ---- A context from one process to the next -----------------------------------------------------
 *
 * A command's environment says what its context is, unless the command names these itself:
 *
 *     TRACEPARENT      W3C Trace Context: the trace id, where it has 32 hexadecimal digits. Where
 *                      ctx has none, what env says stays.
 *     BELAY_LISTEN_PPID  where a command names descriptors, this process's number: who starts a
 *                      program does not know that one's yet, which LISTEN_PID would be
 *     BELAY_DEADLINE   the moment on CLOCK_REALTIME, as seconds since 1970 with nine decimals:
 *                      "1767225600.250000000". Removed where ctx has no deadline.
 */

/* A child of parent with what the environment says: its trace id, and a deadline at that moment,
 * unless parent's is sooner. What is malformed is as good as not there, and so is everything in a
 * program that runs with more rights than its caller (secure_getenv(3)). Never NULL, as all
 * derivations. To be called before other threads change the environment: at the start of main(). */
BELAY_EXPORT belay_ctx *belay_from_environment(BELAY_BORROWED belay_ctx *parent) BELAY_DERIVES;
BELAY_EXPORT belay_ctx *belay_from_environment_at(BELAY_BORROWED belay_ctx *parent,
						  const struct belay_site *site) BELAY_DERIVES;
#define belay_from_environment(...) belay_from_environment_at((__VA_ARGS__), BELAY_HERE)

BELAY_END_DECLS

#ifdef BELAY_ANALYZE
#undef belay_from_environment
#endif

#endif
