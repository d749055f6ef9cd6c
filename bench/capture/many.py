"""Five hundred tests of a Django project, of the usual kinds: reads of a page, writes, a few that commit."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum
from django.test import TestCase, TransactionTestCase
from shop.models import Customer, Item, Order, Product

CLASSES, TESTS, COMMITTING = 24, 20, 20


def _fill(number: int) -> Customer:
    customer = Customer.objects.create(email=f"c{number}@example.com", name=f"Customer {number}")
    products = [Product.objects.create(sku=f"sku-{number}-{n}", title=f"Product {n}", price=n) for n in range(10)]
    for place in range(5):
        order = Order.objects.create(customer=customer, note=str(place))
        Item.objects.bulk_create([Item(order=order, product=p, quantity=place + 1) for p in products[: place + 1]])
    return customer


def _test(number: int) -> Any:
    def test(self: Any) -> None:
        customer = _fill(number)
        assert Order.objects.filter(customer=customer).count() == 5
        orders = customer.orders.prefetch_related("items__product").order_by("-created_at")[:3]
        assert sum(len(order.items.all()) for order in orders) == 12
        for order in customer.orders.all():
            order.status = "paid" if number % 2 else "shipped"
            order.save(update_fields=["status"])
        rows = Order.objects.values("status").annotate(orders=Count("id"), quantity=Sum("items__quantity"))
        assert rows[0]["quantity"]
        assert Product.objects.filter(sku__startswith=f"sku-{number}-", price__gte=5).exists()
        customer.orders.filter(note="3").delete()

    return test


def _class(base: type, name: str, numbers: range) -> type:
    return type(name, (base,), {f"test_{number}": _test(number) for number in numbers} | {"__module__": __name__})


for place in range(CLASSES):
    numbers = range(place * TESTS, (place + 1) * TESTS)
    globals()[f"Shopping{place}"] = _class(TestCase, f"Shopping{place}", numbers)
Committing = _class(TransactionTestCase, "Committing", range(CLASSES * TESTS, CLASSES * TESTS + COMMITTING))
