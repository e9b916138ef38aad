"""What people see of the tables in OpenSearch Dashboards: saved objects, and the way they get there."""
