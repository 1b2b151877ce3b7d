create table spread (id int not null, kind text) partition by hash (id);
create table spread_0 partition of spread for values with (modulus 2, remainder 0);
create table spread_1 partition of spread for values with (modulus 2, remainder 1) partition by list (kind);
create table spread_1_a partition of spread_1 for values in ('a');
insert into spread
  values (1, 'a'), (2, 'a'), (3, 'a'), (4, 'a'), (5, 'a'), (6, 'a'), (7, 'a'), (8, 'a'), (9, 'a'), (10, 'a');

create function first_ones() returns setof int language sql stable as $$ select id from spread_0 order by id $$;
create function other_ones() returns setof int language sql stable as $$ select id from spread_1_a order by id $$;
create function put_first(given int) returns void language sql as $$ insert into spread_0 values (given, 'b') $$;
create function renumber_first(given int, becomes int) returns void language sql as $$
  update spread_0 set id = becomes where id = given
$$;

create table tickets (id serial, kind text not null, primary key (id, kind)) partition by list (kind);
create table tickets_a partition of tickets for values in ('a');
create table tickets_b partition of tickets for values in ('b');
insert into tickets (kind) values ('a'), ('b');
