"""The backend's installation, and the add-on's preferences."""
