from django.contrib import admin
from django.core.paginator import Paginator

from shop.models import Customer, Line, Order


class Unbounded(Paginator):
    """Does not count a table of millions of rows for every page, as Django's documentation advises for large tables."""

    count = 10**9


class Lines(admin.TabularInline):
    model = Line
    extra = 0


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("number", "customer", "status", "created_at")
    list_filter = ("status",)
    list_select_related = ("customer",)
    search_fields = ("number__exact",)
    ordering = ("-created_at",)
    raw_id_fields = ("customer",)
    inlines = (Lines,)
    show_full_result_count = False
    paginator = Unbounded


@admin.register(Customer)
class CustomerAdmin(admin.ModelAdmin):
    list_display = ("email", "name", "joined")
    ordering = ("-joined",)
    show_full_result_count = False
    paginator = Unbounded
