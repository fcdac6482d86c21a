/* SPDX-License-Identifier: MIT
 *
 * stop_token.cc - C++20's stop_source. It has no tree: a child is one that a stop_callback of its
 * parent's stops, kept beside it. There are no deadlines.
 */
#include <new>
#include <stop_token>

struct stop {
	std::stop_source *child;

	void operator()() noexcept
	{
		child->request_stop();
	}
};

struct linked {
	std::stop_source self;
	std::stop_callback<stop> link;

	explicit linked(std::stop_token parent) : link(std::move(parent), stop{&self}) {}
};

/* Storage, since neither may move. */
struct peer_ctx {
	alignas(linked) unsigned char room[sizeof(linked)];

	linked *operator->()
	{
		return std::launder(reinterpret_cast<linked *>(room));
	}
};

static inline void peer_open(peer_ctx *ctx, peer_ctx *parent)
{
	new (ctx->room) linked(parent ? (*parent)->self.get_token() : std::stop_token());
}

static inline void peer_cancel(peer_ctx *ctx)
{
	(*ctx)->self.request_stop();
}

static inline void peer_end(peer_ctx *ctx)
{
	(*ctx)->self.request_stop();
	(*ctx)->~linked();
}

static inline int peer_done(peer_ctx *ctx)
{
	return (*ctx)->self.stop_requested();
}

#include "works.h"

int main(int argc, char **argv)
{
	static const bench_entry entries[] = {PEER_WORKS{nullptr, nullptr}};

	return bench_main(argc, argv, entries);
}
