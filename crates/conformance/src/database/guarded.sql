create table numbers (id int primary key, given text, number int, note text);
create table seen (number int primary key, times int not null);

create function read_number() returns trigger language plpgsql as $$
begin
  if new.given = 'none' then
    return null;
  end if;
  begin
    new.number := new.given::int;
    new.note := 'read';
  exception when invalid_text_representation then
    new.number := null;
    new.note := sqlstate;
  end;
  return new;
end $$;
create trigger a_read before insert or update of given on numbers
  for each row execute function read_number();

create function count_number() returns trigger language plpgsql security definer as $$
begin
  if new.number > 100 then
    raise exception '% is too much, was %', new.number, old.number using errcode = 'MY013';
  end if;
  insert into seen values (new.number, 1);
  return null;
exception
  when unique_violation then
    update seen set times = times + 1 where number = new.number;
    return null;
end $$;
create trigger b_count after insert or update on numbers
  for each row when (new.number is not null and new.note = 'read') execute function count_number();

create function keep_first() returns trigger language plpgsql as $$
begin
  perform 1 / (old.id - 1);
  return old;
exception when division_by_zero then
  return null;
end $$;
create trigger c_keep before delete on numbers for each row execute function keep_first();
