"""The invented provider, its clients and its price list. Nothing here is computed."""

from __future__ import annotations

from decimal import Decimal

from qbo_sync_dagster.sandbox.algapsa.tenants import TaxRegion

PROVIDER = "Harbor Light IT Services"

REGIONS = (
    TaxRegion("US-WA", "Washington", Decimal("8.90")),
    TaxRegion("US-ID", "Idaho", Decimal("6.00")),
)

# Name and rate in cents; the labels of `seed` refer to the keys.
SERVICES: dict[str, tuple[str, int]] = {
    "endpoint": ("Managed Endpoint", 8_500),
    "server": ("Managed Server", 19_500),
    "backup": ("Cloud Backup", 1_200),
    "mail": ("Email Security", 650),
    "licence": ("Productivity Licence", 2_200),
    "firewall": ("Managed Firewall", 15_000),
    "monitoring": ("Network Monitoring", 7_500),
    "phone": ("Hosted Phone Seat", 2_400),
    "helpdesk": ("Help Desk", 4_900),
    "training": ("Security Training", 400),
    "project": ("Project Labor", 16_500),
    "visit": ("On-site Visit", 14_000),
}
LICENCES = frozenset({"mail", "licence", "phone", "training"})

CLIENTS = (
    "Alder Creek Dental",
    "Basalt Brewing Supply",
    "Birch & Barrow Architects",
    "Bluegrass Veterinary Group",
    "Cannery Row Printing",
    "Cedar Flats Orthodontics",
    "Clearwater Title & Escrow",
    "Copper Kettle Foods",
    "Crestline Property Management",
    "Driftwood Physical Therapy",
    "Eastbank Machine Works",
    "Elm Street Accounting",
    "Fairhaven Marine Services",
    "Fernhill Early Learning",
    "Foxglove Landscape Design",
    "Granite Peak Insurance",
    "Greenway Cycle Works",
    "Heron Bay Surgical Center",
    "Highline Freight Brokers",
    "Inland Steel Fabrication",
    "Ironwood Legal Partners",
    "Juniper Hill Winery",
    "Kestrel Aviation Parts",
    "Lakeview Family Medicine",
    "Larkspur Senior Living",
    "Lighthouse Credit Counseling",
    "Maple & Main Bakery",
    "Meridian Survey Group",
    "Mossy Rock Timber",
    "North Fork Outfitters",
    "Orchard Park Pediatrics",
    "Palouse Grain Cooperative",
    "Pine Ridge Construction",
    "Quarry Lane Counseling",
    "Riverbend Electric Supply",
    "Sagebrush Media",
    "Silver Spruce Hotel",
    "Stonebridge Wealth Advisors",
    "Tamarack Engineering",
    "Westshore Community Theater",
)
CITIES = ("Spokane", "Pullman", "Coeur d'Alene", "Moscow")
