"""Charts and tables; knows no AWS."""
