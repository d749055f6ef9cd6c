-- The statements of TPC-C's five transactions (specification 5.11, clauses 2.4 to 2.8).
-- New-Order
select c_discount, c_last, c_credit, w_tax from customer join warehouse on w_id = c_w_id where c_w_id = $1 and c_d_id = $2 and c_id = $3;
select d_next_o_id, d_tax from district where d_w_id = $1 and d_id = $2 for update;
update district set d_next_o_id = d_next_o_id + 1 where d_w_id = $1 and d_id = $2;
insert into orders (o_id, o_d_id, o_w_id, o_c_id, o_entry_d, o_ol_cnt, o_all_local) values ($1, $2, $3, $4, $5, $6, $7);
insert into new_order (no_o_id, no_d_id, no_w_id) values ($1, $2, $3);
select i_price, i_name, i_data from item where i_id = $1;
select i_id, i_price, i_name, i_data from item where i_id = any($1::int[]);
select s_quantity, s_data, s_dist_01 from stock where s_i_id = $1 and s_w_id = $2 for update;
update stock set s_quantity = $1, s_ytd = s_ytd + $2, s_order_cnt = s_order_cnt + 1 where s_i_id = $3 and s_w_id = $4;
insert into order_line (ol_o_id, ol_d_id, ol_w_id, ol_number, ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_dist_info) values ($1, $2, $3, $4, $5, $6, $7, $8, $9);
-- Payment
update warehouse set w_ytd = w_ytd + $1 where w_id = $2;
select w_street_1, w_city, w_state, w_zip, w_name from warehouse where w_id = $1;
update district set d_ytd = d_ytd + $1 where d_w_id = $2 and d_id = $3;
select count(c_id) from customer where c_last = $1 and c_d_id = $2 and c_w_id = $3;
select c_first, c_middle, c_id, c_balance from customer where c_w_id = $1 and c_d_id = $2 and c_last = $3 order by c_first;
select c_first, c_last, c_credit, c_balance from customer where c_w_id = $1 and c_d_id = $2 and c_id = $3 for update;
update customer set c_balance = c_balance - $1, c_ytd_payment = c_ytd_payment + $1, c_payment_cnt = c_payment_cnt + 1 where c_w_id = $2 and c_d_id = $3 and c_id = $4;
insert into history (h_c_d_id, h_c_w_id, h_c_id, h_d_id, h_w_id, h_date, h_amount, h_data) values ($1, $2, $3, $4, $5, $6, $7, $8);
-- Order-Status
select o_id, o_carrier_id, o_entry_d from orders where o_w_id = $1 and o_d_id = $2 and o_c_id = $3 order by o_id desc limit 1;
select ol_i_id, ol_supply_w_id, ol_quantity, ol_amount, ol_delivery_d from order_line where ol_o_id = $1 and ol_d_id = $2 and ol_w_id = $3;
-- Delivery
select no_o_id from new_order where no_d_id = $1 and no_w_id = $2 order by no_o_id limit 1 for update;
delete from new_order where no_o_id = $1 and no_d_id = $2 and no_w_id = $3;
select o_c_id from orders where o_id = $1 and o_d_id = $2 and o_w_id = $3;
update orders set o_carrier_id = $1 where o_id = $2 and o_d_id = $3 and o_w_id = $4;
update order_line set ol_delivery_d = $1 where ol_o_id = $2 and ol_d_id = $3 and ol_w_id = $4;
select sum(ol_amount) from order_line where ol_o_id = $1 and ol_d_id = $2 and ol_w_id = $3;
update customer set c_balance = c_balance + $1, c_delivery_cnt = c_delivery_cnt + 1 where c_id = $2 and c_d_id = $3 and c_w_id = $4;
-- Stock-Level
select d_next_o_id from district where d_w_id = $1 and d_id = $2;
select count(distinct s_i_id) from order_line join stock on s_i_id = ol_i_id and s_w_id = ol_w_id where ol_w_id = $1 and ol_d_id = $2 and ol_o_id < $3 and ol_o_id >= $4 and s_quantity < $5;
