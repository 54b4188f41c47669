"""Customer touchpoints from every channel, joined live into journeys with satisfaction and churn risk."""
