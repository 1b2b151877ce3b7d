create table sensors (id int primary key, name text not null);
insert into sensors values (1, 'inside'), (2, 'outside');

create table readings (
  id int not null,
  day date not null,
  sensor_id int default 1 references sensors (id),
  value int not null default 0,
  constraint readings_value_check check (value >= 0),
  primary key (id, day)
) partition by range (day);
create table readings_january partition of readings for values from ('2024-01-01') to ('2024-02-01');
create table readings_rest partition of readings for values from ('2024-02-01') to ('2025-01-01');
insert into readings (id, day, sensor_id) values (1, '2024-01-15', 1), (2, '2024-02-01', 1), (3, '2024-12-31', 2);

create table things (kind text) partition by list (kind);
create table things_a partition of things for values in ('a', null);
create table things_b partition of things for values in ('b');

create table spread (id int primary key) partition by hash (id);
create table spread_even partition of spread for values with (modulus 2, remainder 0);
create table spread_odd partition of spread for values with (modulus 2, remainder 1);

create function of_january() returns bigint language sql stable as $$
  select count(*) from readings_january
$$;
create function of_the_rest() returns setof int language sql stable as $$
  select id from readings_rest order by id
$$;
create function of_kinds() returns text language sql stable as $$
  select (select count(*) from things_a)::text || ' ' || (select count(*) from things_b)::text
$$;
grant select on readings_rest to authenticated;
