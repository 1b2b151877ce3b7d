-- Most rows are in no partition: which are is a matter of PostgreSQL's hashes alone.
create table spread (
  id int not null,
  number bigint,
  name text,
  day date,
  at timestamptz,
  who uuid,
  flag boolean,
  amount numeric
) partition by hash (number, name, day, at, who, flag, amount);
create table spread_first partition of spread for values with (modulus 2, remainder 0);
