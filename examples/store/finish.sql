-- Runs once all packages are in.

create index provision_name on provision (name, package);
create index package_section on package (section);

-- Of each group the first alternative that there is: a package of that name, else one that provides
-- it. (The other columns of a row with min() are those of the row where the minimum stands.)
insert or ignore into need
	select package, needed from (
		select wish.package,
		       coalesce(package.id, (select min(provision.package) from provision
		                             where provision.name = wish.name)) as needed,
		       min(alternative)
		from wish left join package on package.name = wish.name
		where package.id is not null
		   or exists (select 1 from provision where provision.name = wish.name)
		group by wish.package, clump)
	where package <> needed;

create index need_needed on need (needed);
drop table wish;

insert into word (word) values ('rebuild');
insert into word (word) values ('optimize');
