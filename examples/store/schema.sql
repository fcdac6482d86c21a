-- The database of the store. It is written once, by the import, and only read after that.

create table package (
	id           integer primary key,
	name         text not null unique,
	version      text not null,
	section      text not null,
	architecture text not null,
	homepage     text not null,
	summary      text not null,
	size         integer not null, -- installed, in KiB
	installed    integer not null  -- on this machine: 0 or 1
);

-- The words of names and summaries, for the search.
create virtual table word using fts5 (
	name, summary, content = 'package', content_rowid = 'id', prefix = '1 2 3'
);

-- package can't do without needed.
create table need (
	package integer not null references package,
	needed  integer not null references package,
	primary key (package, needed)
) without rowid;

-- As the data has it, before names are looked up: one of the alternatives of each group is needed.
create table wish (
	package     integer not null,
	clump       integer not null,
	alternative integer not null,
	name        text not null
);

create table provision (
	name    text not null,
	package integer not null
);

-- What the database was made from.
create table origin (
	fingerprint text not null
);
