-- name: user_by_email
select * from users where email = $1;
-- name: customers_page
select id, email, first_name, last_name from users where (date_joined, id) < ($1, $2) order by date_joined desc, id desc limit 50;
-- name: addresses_of_user
select * from addresses where user_id = $1 order by id;
-- name: category_tree
select id, name, slug, level from categories where tree_id = $1 and lft > $2 and rght < $3 order by lft;
-- name: categories_by_id
select * from categories where id = any($1::int[]);
-- name: root_categories
select id, name, slug from categories where parent_id is null order by lft limit 30;
-- name: product_by_slug
select p.*, l.discounted_price from products p join product_listings l on l.product_id = p.id and l.channel_id = $2 where p.slug = $1 and l.is_published;
-- name: products_of_category
select p.id, p.name, p.slug from products p where p.category_id = $1 order by p.created_at desc, p.id desc limit 24;
-- name: newest_of_channel
select l.product_id, p.name from product_listings l join products p on p.id = l.product_id where l.channel_id = $1 and l.is_published and l.visible and l.published_at <= now() order by l.published_at desc, l.product_id limit 24;
-- name: cheapest_of_channel
select l.product_id, p.name, l.discounted_price from product_listings l join products p on p.id = l.product_id where l.channel_id = $1 and l.is_published and l.visible order by l.discounted_price, l.product_id limit 24;
-- name: search_products
select p.id, p.name from products p where p.search @@ plainto_tsquery('simple', $1) order by ts_rank(p.search, plainto_tsquery('simple', $1)) desc limit 20;
-- name: changed_products
select id, slug, updated_at from products where (updated_at, id) < ($1, $2) order by updated_at desc, id desc limit 100;
-- name: variants_of_products
select id, product_id, sku, name from variants where product_id = any($1::int[]) order by product_id, sort_order, id;
-- name: variant_by_sku
select v.*, l.price from variants v join variant_listings l on l.variant_id = v.id where v.sku = $1 and l.channel_id = $2;
-- name: prices
select variant_id, price from variant_listings where variant_id = any($1::int[]) and channel_id = $2;
-- name: media
select product_id, url from product_media where product_id = any($1::int[]) order by product_id, sort_order;
-- name: update_product
update products set name = $1, description = $2, updated_at = now() where id = $3;
-- name: availability
select variant_id, sum(quantity - quantity_allocated) from stocks where variant_id = any($1::int[]) group by variant_id;
-- name: lock_stocks
select s.id, s.quantity, s.quantity_allocated from stocks s where s.variant_id = any($1::int[]) and s.warehouse_id = any($2::int[]) order by s.id for update;
-- name: allocate
update stocks set quantity_allocated = quantity_allocated + $1 where id = $2;
-- name: checkout
select c.*, ch.slug from checkouts c join channels ch on ch.id = c.channel_id where c.token = $1;
-- name: checkout_lines
select l.id, l.quantity, v.name, v.sku, v.product_id from checkout_lines l join variants v on v.id = l.variant_id where l.checkout_id = $1 order by l.created_at;
-- name: add_line
insert into checkout_lines (id, checkout_id, variant_id, quantity, created_at) values ($1, $2, $3, $4, now());
-- name: touch_checkout
update checkouts set last_change = now(), email = $1 where token = $2;
-- name: checkouts_of_user
select token from checkouts where user_id = $1 order by last_change desc;
-- name: expired_checkouts
select token from checkouts where last_change < now() - interval '59 days 20 hours' order by last_change limit 100;
-- name: delete_checkout
delete from checkouts where token = $1;
-- name: create_order
insert into orders (id, user_id, user_email, status, channel_id, billing_address_id, shipping_address_id, total, currency, created_at, updated_at) values ($1, $2, $3, 'unfulfilled', $4, $5, $6, $7, $8, now(), now()) returning number;
-- name: create_line
insert into order_lines (id, order_id, variant_id, product_name, sku, quantity, unit_price, created_at) values ($1, $2, $3, $4, $5, $6, $7, now());
-- name: order
select o.*, u.email from orders o left join users u on u.id = o.user_id where o.id = $1;
-- name: order_by_number
select * from orders where number = $1;
-- name: orders_of_user
select id, number, status, total from orders where user_id = $1 order by created_at desc limit 20;
-- name: orders_of_email
select id, number, created_at from orders where lower(user_email) = lower($1) order by created_at desc limit 20;
-- name: orders_page
select id, number, status, total, created_at from orders where (created_at, number) < ($1, $2) order by created_at desc, number desc limit 50;
-- name: orders_of_channel
select id, number, status from orders where channel_id = $1 and created_at < $2 order by created_at desc limit 50;
-- name: to_fulfill
select id, number, created_at from orders where status = 'unfulfilled' order by created_at desc limit 50;
-- name: count_to_fulfill
select count(*) from orders where status = 'unfulfilled';
-- name: search_orders
select id, number from orders where search @@ plainto_tsquery('simple', $1) order by created_at desc limit 20;
-- name: order_lines
select l.*, v.product_id from order_lines l left join variants v on v.id = l.variant_id where l.order_id = $1 order by l.created_at;
-- name: lines_of_orders
select order_id, sum(quantity), sum(quantity * unit_price) from order_lines where order_id = any($1::uuid[]) group by order_id;
-- name: allocations_of_order
select a.id, a.quantity, a.stock_id from allocations a join order_lines l on l.id = a.order_line_id where l.order_id = $1;
-- name: allocate_line
insert into allocations (order_line_id, stock_id, quantity) values ($1, $2, $3) on conflict (order_line_id, stock_id) do update set quantity = allocations.quantity + excluded.quantity;
-- name: fulfillments_of_order
select f.id, f.status, f.tracking, fl.order_line_id, fl.quantity from fulfillments f join fulfillment_lines fl on fl.fulfillment_id = f.id where f.order_id = $1 order by f.id;
-- name: set_status
update orders set status = $1, updated_at = now() where id = $2;
-- name: payments_of_order
select id, total, charge_status from payments where order_id = $1 and is_active order by id;
-- name: payment_by_reference
select * from payments where psp_reference = $1;
-- name: transactions_of_payment
select * from transactions where payment_id = $1 order by id desc limit 1;
-- name: transaction_by_token
select exists (select from transactions where token = $1 and is_success);
-- name: voucher
select * from vouchers where code = $1 and start_date <= now() and (end_date is null or end_date >= now());
-- name: use_voucher
update vouchers set used = used + 1 where id = $1 and used < usage_limit;
-- name: events_of_order
select kind, parameters, at from events where order_id = $1 order by at;
-- name: recent_events
select order_id, at from events where kind = $1 order by at desc limit 30;
-- name: log_event
insert into events (order_id, kind, user_id, parameters, at) values ($1, $2, $3, $4, now());
-- name: bought_before
select exists (select from orders o join order_lines l on l.order_id = o.id where o.user_id = $1 and l.variant_id = $2);
-- name: sales_of_variant
select count(*), sum(quantity) from order_lines where variant_id = $1;
-- name: delete_order
delete from orders where id = $1 and status = 'unconfirmed';
-- name: delete_variant
delete from variants where id = $1;
-- name: channels
select id, slug, currency from channels where is_active order by slug;
-- name: staff
select id, email from users where is_staff and email = $1;
-- name: listing
update product_listings set is_published = $1, published_at = now() where product_id = $2 and channel_id = $3;
