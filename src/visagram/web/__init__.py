"""The web application: pages, the REST API and the contract of the original application. The only place for Flask."""
