create table a (id int primary key); create table b (id int primary key, a int references a on delete cascade on update cascade);
create table c (id int primary key, b int default 0 references b on delete set null);
create table d (id int primary key, a int references a on delete restrict);
insert into a values (1), (2), (3); insert into b values (1, 1), (2, 2), (3, 3); insert into c values (1, 1), (2, 2); insert into d values (1, 3);
delete from a where id = 1; update a set id = 20 where id = 2;
