create table a (id int primary key, n varchar(5) not null default 'x' check (n <> ''), unique (n));
insert into a values (1, 'one'), (2, 'two');
create table b (like a including all); create table c (like a);
create table if not exists a (other int);
create table d as select id * 2 as twice, n from a where id > 1;
