create domain price as numeric(6,2) default 1 check (value >= 0);
create domain code text not null constraint code_form check (value ~ '^[A-Z]+$');
create table a (id int primary key, p price, c code);
