/* SPDX-License-Identifier: MIT
 *
 * macros.h - what every public header needs: linkage, attributes, the caller's place in its source.
 */
#ifndef BELAY_MACROS_H
#define BELAY_MACROS_H

#ifdef __cplusplus
#define BELAY_BEGIN_DECLS extern "C" {
#define BELAY_END_DECLS   }
#else
#define BELAY_BEGIN_DECLS
#define BELAY_END_DECLS
#endif

#define BELAY_EXPORT            __attribute__((visibility("default")))
#define BELAY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define BELAY_MUST_CHECK        __attribute__((warn_unused_result))

/* ---- For static analysers: docs/analysis.md ----------------------------------------------------
 *
 * BELAY_RELEASED_BY(fn) stands on what makes an object that fn's first parameter gives up, and
 * BELAY_RELEASES on fn. gcc's -fanalyzer, clang's analyzer and, in part, -Wall then know of objects
 * that are not released, or used afterwards, or released twice.
 *
 * BELAY_BORROWED stands on a parameter that a call only uses: what it points to is the caller's
 * afterwards as before. The analyzers think otherwise of a pointer that is not to const, and stop
 * watching it; so in a program compiled with -DBELAY_ANALYZE it says const. Else it says nothing.
 *
 * clang knows no variables that are released at the end of their scope (BELAY_SCOPED), and would
 * call each of them a leak. So it watches for leaks only where BELAY_ANALYZE_UNSCOPED says that
 * there are none of these. */
#if defined(__clang__)
#define BELAY_RELEASES __attribute__((ownership_takes(malloc, 1)))
#ifdef BELAY_ANALYZE_UNSCOPED
#define BELAY_RELEASED_BY(fn) __attribute__((ownership_returns(malloc)))
#else
#define BELAY_RELEASED_BY(fn)
#endif
#elif defined(__GNUC__) && __GNUC__ >= 11
#define BELAY_RELEASES
#define BELAY_RELEASED_BY(fn) __attribute__((malloc(fn, 1)))
#else
#define BELAY_RELEASES
#define BELAY_RELEASED_BY(fn)
#endif
#ifdef BELAY_ANALYZE
#define BELAY_BORROWED const
#else
#define BELAY_BORROWED
#endif

/* A place in a source file. Must live as long as the process: BELAY_HERE makes a static one. */
struct belay_site {
	const char *file;
	const char *func;
	int line;
};

/* The address of a static struct belay_site for the line it stands on. Inside functions only. */
#define BELAY_HERE                                                                                 \
	(__extension__({                                                                           \
		static const struct belay_site belay__here = {__FILE__, __func__, __LINE__};       \
		&belay__here;                                                                      \
	}))

#endif
