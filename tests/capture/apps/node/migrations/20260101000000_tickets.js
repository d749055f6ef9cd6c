exports.up = (knex) =>
  knex.schema
    .createTable("venues", (table) => {
      table.bigIncrements("id");
      table.text("city").notNullable().index();
    })
    .createTable("tickets", (table) => {
      table.bigIncrements("id");
      table.bigInteger("venue_id").references("venues.id");
      table.jsonb("seat");
      table.timestamp("sold_at");
    });
exports.down = (knex) => knex.schema.dropTable("tickets").dropTable("venues");
