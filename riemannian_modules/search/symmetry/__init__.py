"""Conservation laws and symmetries."""
