import os

from django.db import connection, transaction
from django.db.models import Count, F, Sum
from django.test import TestCase, TransactionTestCase

from shop.models import Customer, Item, Order, Product


class Shopping(TestCase):
    databases = {"default", "reports"} if "REPORTS_URL" in os.environ else {"default"}

    @classmethod
    def setUpTestData(cls) -> None:
        cls.customer = Customer.objects.create(email="a@example.com", name="A")
        cls.products = Product.objects.bulk_create(
            [Product(sku=f"sku-{n}", title=f"Product {n}", price=n) for n in range(20)]
        )
        cls.orders = [Order.objects.create(customer=cls.customer, note=str(n)) for n in range(12)]
        Item.objects.bulk_create(
            [Item(order=order, product=p, quantity=1) for order in cls.orders for p in cls.products[:3]]
        )

    def test_one_by_one(self) -> None:
        """What makes a page slow: for each order one more query."""
        total = 0
        for order in Order.objects.filter(customer=self.customer):
            total += sum(item.quantity for item in order.items.all())
        self.assertEqual(total, 36)

    def test_together(self) -> None:
        orders = Order.objects.filter(customer=self.customer).prefetch_related("items__product")
        self.assertEqual(sum(len(order.items.all()) for order in orders), 36)

    def test_page(self) -> None:
        page = Order.objects.filter(status="pending").order_by("-created_at").select_related("customer")[:10]
        self.assertEqual(len(page), 10)

    def test_sums(self) -> None:
        sums = Order.objects.values("status").annotate(orders=Count("id"), quantity=Sum("items__quantity"))
        self.assertEqual(sums[0]["quantity"], 36)

    def test_update(self) -> None:
        with transaction.atomic():
            Order.objects.filter(pk__in=[order.pk for order in self.orders[:5]]).update(status="paid")
            Product.objects.filter(sku="sku-3").update(price=F("price") + 1)
        self.assertEqual(Order.objects.filter(status="paid").count(), 5)

    def test_attributes(self) -> None:
        Product.objects.filter(sku="sku-1").update(attributes={"colour": 'it\'s \\ "red"\n'})
        self.assertTrue(Product.objects.filter(attributes__colour__startswith="it's").exists())

    def test_raw(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) /* by hand */ FROM shop_order WHERE note LIKE %s", ["1%"])
            self.assertEqual(cursor.fetchone(), (3,))

    def test_reports(self) -> None:
        if "REPORTS_URL" in os.environ:
            self.assertFalse(Product.objects.using("reports").filter(title__contains="zzz").exists())


class Committing(TransactionTestCase):
    def test_commit(self) -> None:
        customer = Customer.objects.create(email="b@example.com", name="B")
        with transaction.atomic():
            Order.objects.select_for_update().filter(customer=customer).delete()
        self.assertEqual(customer.orders.count(), 0)
