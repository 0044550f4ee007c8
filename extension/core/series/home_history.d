extension/core/series/home_history.o: \
 extension/core/series/home_history.c \
 extension/core/series/home_history.h
extension/core/series/home_history.h:
