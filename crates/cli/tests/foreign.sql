create table customers (
  id integer primary key, name text not null, email varchar(80) collate nocase unique, born date, met date,
  joined datetime default current_timestamp, vip bool default 0, balance decimal(10,2), bare, number, measure,
  mixed, photo blob, tags json
);
create table orders (
  order_no integer primary key autoincrement, customer integer not null references customers on delete cascade,
  at text, kind char(3) check (kind in ('web', 'app')), total real generated always as (1.5) virtual
);
create table "order items" (order_no integer, line integer, what any_thing, primary key (order_no, line)) without rowid;
create table loose (a, b);
create view large as select * from orders where total > 1;
create trigger stamp after insert on customers begin update customers set joined = 'now' where id = new.id; end;
create virtual table words using fts5(body);
insert into customers (id, name, email, born, met, vip, balance, number, measure, mixed, photo) values
  (1, 'Ada', 'ada@x', '1815-12-10', '2024-01-01', 1, 12.5, 42, 1.5, 1, x'00ff'),
  (2, 'Bob', 'bob@x', null, 1700000000, 0, '7', 43, 2, 'text', null);
insert into orders (customer, at, kind) values (1, '2024-01-01T10:00:00Z', 'web');
insert into loose values (1, 'x'), (2, 'y');
insert into words values ('hello');
