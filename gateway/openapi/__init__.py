"""The OpenAPI 3.1 document of every route, a file per dialect, and a page that shows it; built when first asked for."""
