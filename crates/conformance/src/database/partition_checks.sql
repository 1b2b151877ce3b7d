create table goods (id int not null, kind text not null, amount int, check (amount < 1000)) partition by list (kind);
create table goods_a partition of goods (constraint few check (amount < 10), check (id > 0)) for values in ('a');
create table goods_b partition of goods for values in ('b') partition by range (id);
create table goods_b_low partition of goods_b (constraint few check (amount < 5)) for values from (minvalue) to (100);
create table goods_b_high partition of goods_b for values from (100) to (maxvalue);
create table goods_rest partition of goods default;
alter table goods_b add constraint shared check (10 / amount >= 0);
grant insert on goods_a to authenticated;

create function put_a(given int, of_kind text, many int) returns void language sql as $$
  insert into goods_a values (given, of_kind, many)
$$;

create table shards (id int not null, note text) partition by hash (id);
create table shards_0 partition of shards for values with (modulus 2, remainder 0);
create table shards_1 partition of shards (constraint noted check (note is not null)) for values with (modulus 2, remainder 1);
