"""Cases: all touchpoints of a customer that name the same subject, such as an order or a ticket."""
