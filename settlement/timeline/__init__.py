"""The way of one settlement's money: what happened, who did it, what is next and due when."""
