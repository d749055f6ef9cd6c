from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.test import TestCase

from shop.models import Customer, Line, Order


class Admin(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = User.objects.create_superuser("staff", "staff@example.org", "secret")
        now = datetime(2026, 11, 1, tzinfo=UTC)
        cls.customers = [Customer.objects.create(email=f"c{n}@example.org", name=f"C{n}", joined=now) for n in range(5)]
        cls.orders = [
            Order.objects.create(number=f"N{n}", customer=cls.customers[n % 5], created_at=now) for n in range(9)
        ]
        Line.objects.bulk_create([Line(order=o, sku=f"S{n}", quantity=n) for o in cls.orders for n in range(3)])

    def setUp(self) -> None:
        self.client.force_login(self.user)

    def page(self, url: str, **query: str) -> None:
        self.assertEqual(self.client.get(f"/admin/{url}", query).status_code, 200)

    def test_login(self) -> None:
        self.client.logout()
        self.assertTrue(self.client.login(username="staff", password="secret"))
        self.page("")

    def test_lists(self) -> None:
        self.page("shop/order/")
        self.page("shop/order/", status__exact="pending")
        self.page("shop/customer/")
        self.page("auth/user/")

    def test_search(self) -> None:
        self.page("shop/order/", q="N3")

    def test_pages(self) -> None:
        self.page(f"shop/order/{self.orders[0].pk}/change/")
        self.page(f"shop/order/{self.orders[0].pk}/history/")
        self.page(f"shop/customer/{self.customers[0].pk}/change/")
        self.page("shop/order/add/")

    def test_change(self) -> None:
        order = self.orders[0]
        lines = list(order.lines.all())
        form = {
            "number": order.number,
            "customer": str(order.customer_id),
            "status": "paid",
            "created_at_0": "2026-11-01",
            "created_at_1": "00:00:00",
            "lines-TOTAL_FORMS": str(len(lines)),
            "lines-INITIAL_FORMS": str(len(lines)),
        }
        for n, line in enumerate(lines):
            form |= {f"lines-{n}-id": str(line.pk), f"lines-{n}-order": str(order.pk)}
            form |= {f"lines-{n}-sku": line.sku, f"lines-{n}-quantity": "7"}
        answer = self.client.post(f"/admin/shop/order/{order.pk}/change/", form)
        self.assertEqual(answer.status_code, 302)

    def test_delete(self) -> None:
        order = self.orders[1]
        self.page(f"shop/order/{order.pk}/delete/")
        self.client.post(f"/admin/shop/order/{order.pk}/delete/", {"post": "yes"})
        self.assertFalse(Order.objects.filter(pk=order.pk).exists())
