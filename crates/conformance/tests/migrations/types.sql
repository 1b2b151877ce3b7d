create type mood as enum ('sad', 'ok'); create table a (id int primary key, m text, t text, n int);
insert into a values (1, 'sad', '7', 3);
alter table a alter column m type mood using m::mood, alter column t type int using t::int + 1;
alter table a alter column n type text using 'n' || n;
alter type mood add value if not exists 'glad' before 'ok'; alter type mood rename value 'sad' to 'low';
