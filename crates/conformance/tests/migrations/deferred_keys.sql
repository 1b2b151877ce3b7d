create table a (id int primary key, b int not null);
create table b (id int primary key, a int references a deferrable initially deferred);
alter table a add constraint a_b foreign key (b) references b deferrable initially deferred;
create table tree (id int primary key, parent int references tree (id) on delete cascade);
