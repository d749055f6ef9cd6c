alter table tenants add primary key (id);
create unique index tenants_name on tenants (name);
alter table users add primary key (id), add unique (tenant_id, id), add unique (email), add foreign key (tenant_id) references tenants, add foreign key (boss) references users;
alter table projects add primary key (tenant_id, id), add foreign key (tenant_id) references tenants;
alter table orders add primary key (id), add foreign key (user_id) references users;
create index on orders (created);
alter table lines add primary key (order_id, line), add foreign key (order_id) references orders;
create index on lines (sku);
alter table members add unique (tenant_id, user_id), add foreign key (tenant_id, user_id) references users (tenant_id, id), add foreign key (tenant_id, project_id) references projects (tenant_id, id);
alter table hens add primary key (id);
alter table eggs add primary key (id), add unique (hen), add foreign key (hen) references hens;
alter table hens add foreign key (egg) references eggs;
alter table events add primary key (id, at, kind);
create index on events using gin (body);
alter table hashed add primary key (id);
alter table of_hashed add primary key (id), add foreign key (hashed_id) references hashed;
alter table zoo add primary key (id), add unique (u)
