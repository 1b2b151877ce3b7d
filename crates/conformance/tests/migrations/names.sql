create table people (id int primary key, name text); insert into people values (1, 'ann');
create view names as select p.name as who, people.id from people join people p using (id);
create table notes (id int primary key, owner int references people);
alter table notes enable row level security;
create policy mine on notes using (exists (select 1 from people where people.id = notes.owner and people.name = 'ann'));
create function tell() returns trigger language plpgsql as $$ begin new.id := new.id + 1; return new; end $$;
create trigger tell before insert on notes for each row execute function tell();
grant select on people to authenticated;
alter table people rename to persons; alter table persons rename column name to called;
